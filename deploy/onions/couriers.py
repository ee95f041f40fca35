"""Who may reach the collection's onion: one file for each courier's machine, in tor's own folder on the host.

Promises: the door is never open to all. Tor takes an empty authorized_clients/ for "everybody may", so a key that
nobody holds always stands there too. Files are made and removed as the user to whom tor's folder belongs, so that
whatever that user has put there cannot lead root elsewhere. Tor reads the folder anew without a restart.
Source: tor(1), "CLIENT AUTHORIZATION".
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stem.control import Controller

from common.durable import write_new, write_whole
from common.names import is_short_name
from common.transport.onion import NotAClientKey, public_line, read_public_line
from deploy.host.user_switch import acting_as
from deploy.onions.control import ask
from deploy.onions.errors import CourierRefused
from deploy.onions.lock import NOBODY, key_nobody_holds
from deploy.onions.publication import SECONDS, watched
from deploy.onions.torrc import COLLECTION

CLIENTS = "authorized_clients"
_REVISION_SECONDS = 1.1


def admitted(onions: Path) -> list[str]:
    """The names of the couriers that are let in. `onions`: the folder of the services' folders."""
    with _as_owner_of(onions):
        names = {file.stem for file in _clients(onions).glob("*.auth")}
    return sorted(names - {NOBODY})


def admit(onions: Path, name: str, untrusted_line: str) -> None:
    """Write a courier's file. Raises CourierRefused."""
    try:
        line = public_line(read_public_line(untrusted_line))
    except NotAClientKey as error:
        raise CourierRefused(str(error)) from error
    with _as_owner_of(onions):
        file = _file(onions, name)
        lock(onions)
        try:
            write_new(file, f"{line}\n".encode("ascii"))
        except FileExistsError as error:
            if file.read_text("ascii").strip() != line:
                raise CourierRefused(
                    f"{name} is let in already, with another key. Dismiss that one first, or choose another name."
                ) from error


def dismiss(onions: Path, name: str) -> None:
    """Remove a courier's file. Raises CourierRefused."""
    with _as_owner_of(onions):
        file = _file(onions, name)
        lock(onions)
        try:
            file.unlink()
        except FileNotFoundError as error:
            raise CourierRefused(
                f"There is no courier {name} to dismiss. `candour deploy couriers` lists them."
            ) from error


def lock(onions: Path) -> None:
    """See that the key that nobody holds is there."""
    file = _clients(onions) / f"{NOBODY}.auth"
    if not os.path.lexists(file):
        write_new(file, f"{key_nobody_holds()}\n".encode("ascii"))


def reload(controller: Controller, onions: Path, seconds: float = SECONDS) -> int:
    """Let tor read its files anew, and wait until its relays have the collection's new descriptor; see Uploads.wait.

    A descriptor's revision is the second in which it is made, and relays refuse a second one of the same second
    (rend-spec-v3, "revision-counter"). Tor then tries again only when something has changed, an hour or two later
    otherwise. So the key that nobody holds is drawn anew for each try, and tries are a second apart.
    """
    address = (onions / COLLECTION / "hostname").read_text("ascii").strip()
    limit = time.monotonic() + seconds
    stored = 0
    while not stored and time.monotonic() < limit:
        with watched(controller) as uploads:
            _redraw_lock(onions)
            time.sleep(_REVISION_SECONDS)
            ask(controller, "SIGNAL RELOAD")
            stored = uploads.wait(address, limit - time.monotonic())
    return stored


def _redraw_lock(onions: Path) -> None:
    with _as_owner_of(onions):
        # There is never a moment without one.
        write_whole(_clients(onions) / f"{NOBODY}.auth", f"{key_nobody_holds()}\n".encode("ascii"))


def _clients(onions: Path) -> Path:
    folder = onions / COLLECTION / CLIENTS
    if not folder.is_dir():
        raise CourierRefused(f"There is no folder {folder}. Run deploy/install on this host first.")
    return folder


def _file(onions: Path, untrusted_name: str) -> Path:
    if not is_short_name(untrusted_name) or untrusted_name == NOBODY:
        raise CourierRefused(
            "A courier's name is up to 64 small letters, digits and hyphens, such as west-1."
        )
    return _clients(onions) / f"{untrusted_name}.auth"


@contextmanager
def _as_owner_of(folder: Path) -> Iterator[None]:
    """Root acts as the owner of `folder`; anybody else as they are. Raises CourierRefused."""
    try:
        owner = folder.stat()
        with acting_as(owner.st_uid, owner.st_gid):
            yield
    except OSError as error:
        raise CourierRefused(f"{error.filename}: {error.strerror}. Run this as root, on the host.") from error
