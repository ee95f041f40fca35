"""An onion address, checked to the last character: people copy it by hand, and a wrong one leads nowhere or astray."""

from dataclasses import dataclass

from common.transport.onion import NotAnOnion, onion_address
from deploy.errors import DeployError


class BadAddress(DeployError):
    """This is no onion address. The message says what to do."""


@dataclass(frozen=True)
class OnionAddress:
    """A version 3 onion address: 56 base32 characters and `.onion` (Tor's rend-spec-v3, section 6)."""

    host: str

    @classmethod
    def parse(cls, untrusted: str) -> "OnionAddress":
        """The address in `untrusted`, with or without `http://` and `.onion`. Raises BadAddress."""
        try:
            return cls(onion_address(untrusted.strip().lower().removeprefix("http://").removesuffix("/")))
        except NotAnOnion as error:
            raise BadAddress(
                "That is no onion address, or it has a wrong character in it: its checksum does not hold. "
                "Copy it whole from the file `hostname` in the service's HiddenServiceDir."
            ) from error

    @property
    def url(self) -> str:
        """What a browser is given. Over an onion, HTTP is as sealed as HTTPS elsewhere."""
        return f"http://{self.host}/"
