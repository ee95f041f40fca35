"""An onion address, checked to the last character: people copy it by hand, and a wrong one leads nowhere or astray."""

import base64
from dataclasses import dataclass

from stem.descriptor.hidden_service import HiddenServiceDescriptorV3
from stem.util import tor_tools

from deploy.errors import DeployError

_VERSION = 3
_SUFFIX = ".onion"


class BadAddress(DeployError):
    """This is no onion address. The message says what to do."""


@dataclass(frozen=True)
class OnionAddress:
    """A version 3 onion address: 56 base32 characters and `.onion` (Tor's rend-spec-v3, section 6)."""

    host: str

    @classmethod
    def parse(cls, untrusted: str) -> "OnionAddress":
        """The address in `untrusted`, with or without `http://` and `.onion`. Raises BadAddress."""
        name = untrusted.strip().lower().removeprefix("http://").removesuffix("/").removesuffix(_SUFFIX)
        if not tor_tools.is_valid_hidden_service_address(name, version=_VERSION):
            raise BadAddress(
                "That is no onion address: 56 letters and digits, then `.onion`. "
                "Copy it whole from the file `hostname` in the service's HiddenServiceDir."
            )
        try:
            HiddenServiceDescriptorV3.identity_key_from_address(name)
        except ValueError:
            wrong = True
        else:
            wrong = base64.b32decode(name.upper())[-1] != _VERSION
        if wrong:
            raise BadAddress(
                "That onion address has a wrong character in it: its checksum does not hold. "
                "Copy it again from the file `hostname` in the service's HiddenServiceDir."
            )
        return cls(name + _SUFFIX)

    @property
    def url(self) -> str:
        """What a browser is given. Over an onion, HTTP is as sealed as HTTPS elsewhere."""
        return f"http://{self.host}/"
