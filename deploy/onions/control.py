"""A way to tor's control port or socket, through stem; where it is by default, and sentences for what goes wrong."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import stem
import stem.connection
from stem.control import Controller

from deploy.onions.errors import TorRefused, TorUnreachable

Control = Path | int  # a unix socket, or a port of 127.0.0.1

HOST_CONTROL = Path("/run/tor-instances/candour/control")  # as in the host's torrc
USUAL: tuple[Control, ...] = (Path("/run/tor/control"), 9051, 9151)  # Debian's, tor's own, Tor Browser's


def read_control(untrusted: str) -> Control:
    """What a person typed: digits are a port, all else a path."""
    return int(untrusted) if untrusted.isascii() and untrusted.isdigit() else Path(untrusted).absolute()


@contextmanager
def connected(*controls: Control) -> Iterator[Controller]:
    """An authenticated controller of the first tor that is there; tor's own cookie opens it. Raises TorUnreachable."""
    controller = _first(controls)
    with controller:
        try:
            controller.authenticate()
        except stem.connection.AuthenticationFailure as error:
            raise TorUnreachable(
                f"Tor does not let us in: {error}. In its torrc set CookieAuthentication 1, and run this as a user who "
                "may read its cookie file."
            ) from error
        except stem.ControllerError as error:
            raise TorUnreachable(
                f"What listens there is no tor: {error}. Name tor's control port."
            ) from error
        yield controller


def _first(controls: Sequence[Control]) -> Controller:
    for control in controls:
        try:
            if isinstance(control, int):
                return Controller.from_port(port=control)
            return Controller.from_socket_file(str(control))
        except (stem.SocketError, ValueError):
            continue
    tried = ", ".join(str(control) for control in controls)
    raise TorUnreachable(
        f"No tor can be reached at {tried}. Start it, with ControlPort or ControlSocket in its torrc. Root may use it, "
        "and on Debian whoever is in the group debian-tor."
    )


def ask(controller: Controller, line: str) -> list[str]:
    """What tor answers to one control line, without its last OK. Raises TorRefused, which never quotes `line`."""
    try:
        reply = controller.msg(line)
    except stem.ControllerError as error:
        raise TorRefused(f"The connection to tor is lost: {error}. See whether it still runs.") from error
    content = [(code, text) for code, _, text in reply.content()]
    if not reply.is_ok():
        said = " ".join(text for _, text in content)
        raise TorRefused(f"Tor refuses {line.split(maxsplit=1)[0]}: {said}. See its log, and its torrc.")
    return [text for _, text in content if text != "OK"]
