"""A way to tor's control port or socket, through stem; where it is by default, and sentences for what goes wrong.

Promises: what listens there learns nothing that it does not know. It names a cookie file, and may be anybody who has
tor's place: so the file is read as the user whom the socket belongs to, at the host's own place or as a file of theirs,
and it answers first with a proof that it knows the cookie.
Source: Tor's control-spec, "PROTOCOLINFO", "AUTHCHALLENGE".
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import stem
import stem.connection
from stem.control import Controller

from deploy.host.place import SETTINGS
from deploy.host.user_switch import acting_as
from deploy.onions.errors import TorRefused, TorUnreachable

Control = Path | int  # a unix socket, or a port of 127.0.0.1

HOST_CONTROL = Path("/run/tor-instances/candour/control")  # as in the host's torrc
HOST_COOKIE = HOST_CONTROL.with_name("control.authcookie")
USUAL: tuple[Control, ...] = (Path("/run/tor/control"), 9051, 9151)  # Debian's, tor's own, Tor Browser's


def read_control(untrusted: str) -> Control:
    """What a person typed: digits are a port, all else a path."""
    return int(untrusted) if untrusted.isascii() and untrusted.isdigit() else Path(untrusted).absolute()


@contextmanager
def connected(*controls: Control) -> Iterator[Controller]:
    """An authenticated controller of the first tor that is there; tor's own cookie opens it. Raises TorUnreachable."""
    control, controller = _first(controls)
    with controller:
        try:
            _authenticate(controller, control)
        except stem.connection.AuthenticationFailure as error:
            raise TorUnreachable(
                f"Tor does not let us in: {error}. In its torrc set CookieAuthentication 1, and run this as a user who "
                "may read its cookie file."
            ) from error
        except OSError as error:
            raise TorUnreachable(
                f"Tor's cookie cannot be read: {error}. Run this as root, or as a user who may read it."
            ) from error
        except stem.ControllerError as error:
            raise TorUnreachable(
                f"What listens there is no tor: {error}. Name tor's control port."
            ) from error
        yield controller


def _authenticate(controller: Controller, control: Control) -> None:
    """By tor's cookie, and only to what knows it. Raises TorUnreachable, OSError and stem's errors."""
    offered = stem.connection.get_protocolinfo(controller)
    if stem.connection.AuthMethod.SAFECOOKIE not in offered.auth_methods or not offered.cookie_path:
        raise TorUnreachable("Tor offers no cookie to let us in by. In its torrc set CookieAuthentication 1.")
    cookie = Path(offered.cookie_path)
    there = cookie.lstat()
    owner = there if isinstance(control, int) else control.lstat()
    if control == HOST_CONTROL:
        good = cookie == HOST_COOKIE
    else:
        good = there.st_uid in (owner.st_uid, os.geteuid())
        good &= not cookie.resolve().is_relative_to(Path(SETTINGS).resolve())
    if not good or not stat.S_ISREG(there.st_mode):
        raise TorUnreachable(
            f"What listens there names {cookie} as its cookie, which is none of tor's. Find out what it is."
        )
    offered.auth_methods = (
        stem.connection.AuthMethod.SAFECOOKIE,
    )  # stem tries what is named here, in its order
    with acting_as(owner.st_uid, owner.st_gid):
        stem.connection.authenticate(controller, protocolinfo_response=offered)


def _first(controls: Sequence[Control]) -> tuple[Control, Controller]:
    for control in controls:
        try:
            if isinstance(control, int):
                return control, Controller.from_port(port=control)
            return control, Controller.from_socket_file(str(control))
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
