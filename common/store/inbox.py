"""The inbox: what couriers delivered and no settlement has taken in yet. The collection writes it.

    inbox/UNIT/POST            a post, by its identity (common/transport/post.py)
    inbox/UNIT/ID.slip         the slip of an envelope that a unit passes on (common/transport/forwarding.py)
    inbox/UNIT/ID.part         as much of that envelope as has arrived
    inbox/UNIT/ID              all of it

How much a unit may post until the next settled hour is counted by what lies here: nothing else remembers it, so that
nothing on the servers says how much a unit ever posted. The settlement trusts none of it (common/store/delivered.py).
"""

import hashlib
import os
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from common.days import blur_times, today
from common.durable import new_file, sync_folder, sync_stream
from common.envelope_id import is_envelope_id
from common.names import is_short_name
from common.store.blobs import is_shared
from common.transport import post

SLIP, PART = ".slip", ".part"
MOST_POSTS = 400  # of a unit, from one settled hour to the next
MOST_FORWARDS = 50
OLDEST = timedelta(days=60)  # what a desk signed longer ago counts no more
AHEAD = timedelta(days=2)  # a desk's clock may be that much fast


@dataclass(frozen=True)
class Usage:
    """What lies there of a unit. Bytes are those of envelopes passed on, unfinished ones included."""

    posts: int
    forwards: int
    forward_bytes: int


class Inbox:
    """The inbox in the folder `root`. Units and ids are names that were checked: other ones raise ValueError."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        shared = is_shared(root)
        self._folder_mask, self._file_mode = (0o007, 0o640) if shared else (0o077, 0o600)
        self._making = threading.Lock()

    def put_post(self, unit: str, document: bytes) -> None:
        """Keep a post, durably. The same again changes nothing."""
        folder = self._folder(unit)
        place = folder / post.identity(document)
        if not place.exists():
            self._write(place, document)

    def has_post(self, unit: str, document: bytes) -> bool:
        """Whether this very post lies here already."""
        return (self._named(unit) / post.identity(document)).exists()

    def begin(self, unit: str, envelope_id: str, slip: bytes) -> int:
        """Keep the slip of an envelope that a unit passes on. Returns how many bytes of the envelope are here."""
        place = self._forward(unit, envelope_id)
        self._folder(unit)
        self._write(place.with_name(envelope_id + SLIP), slip)
        return self.have(unit, envelope_id)

    def slip(self, unit: str, envelope_id: str) -> bytes | None:
        """The slip of an envelope that was begun and is still here."""
        with suppress(FileNotFoundError):
            return self._forward(unit, envelope_id).with_name(envelope_id + SLIP).read_bytes()
        return None

    def have(self, unit: str, envelope_id: str) -> int:
        """How many bytes of an envelope are here."""
        place = self._forward(unit, envelope_id)
        for file in (place, place.with_name(envelope_id + PART)):
            with suppress(FileNotFoundError):
                return file.stat().st_size
        return 0

    def is_whole(self, unit: str, envelope_id: str) -> bool:
        """Whether all of an envelope is here."""
        return self._forward(unit, envelope_id).exists()

    def append(self, unit: str, envelope_id: str, at: int, piece: bytes) -> int:
        """Write the next piece of an envelope that was begun. Returns how many bytes of it are here then.

        A piece that does not begin `at` what is here is left out, so that what comes twice counts once.
        """
        have = self.have(unit, envelope_id)
        if at != have or self.is_whole(unit, envelope_id):
            return have
        part = self._forward(unit, envelope_id).with_name(envelope_id + PART)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(part, flags, self._file_mode), "wb") as stream:
            os.fchmod(stream.fileno(), self._file_mode)
            stream.seek(at)
            stream.write(piece)
        self._blur(part)
        return at + len(piece)

    def finish(self, unit: str, envelope_id: str, sha256: str) -> bool:
        """Keep an envelope of which all is here, durably. False where it has another SHA-256 (hex): it is removed."""
        place = self._forward(unit, envelope_id)
        part = place.with_name(envelope_id + PART)
        with part.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                self.forget(unit, envelope_id)
                return False
            sync_stream(stream)
        part.rename(place)
        sync_folder(place.parent)
        self._blur(place)
        return True

    def forget(self, unit: str, envelope_id: str) -> None:
        """Remove an envelope that is not whole, and its slip."""
        place = self._forward(unit, envelope_id)
        for ending in (PART, SLIP):
            place.with_name(envelope_id + ending).unlink(missing_ok=True)

    def usage(self, unit: str) -> Usage:
        """What lies here of a unit."""
        sizes: dict[str, int] = {}
        with suppress(FileNotFoundError), os.scandir(self._named(unit)) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # taken in meanwhile
                    sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
        begun = {name.removesuffix(SLIP) for name in sizes if name.endswith(SLIP)}
        posts = [name for name in sizes if is_envelope_id(name) and name not in begun]
        forwards = [size for name, size in sizes.items() if name.removesuffix(PART) in begun]
        return Usage(len(posts), len(begun), sum(forwards))

    def taken_bytes(self) -> int:
        """What all that lies here takes of the disk, of every unit; a hole in a file takes nothing."""
        taken, folders = 0, []
        with suppress(FileNotFoundError), os.scandir(self.root) as units:
            folders = [unit.path for unit in units if unit.is_dir(follow_symlinks=False)]
        for folder in folders:
            with suppress(OSError), os.scandir(folder) as entries:  # one that was deleted, or locked
                for entry in entries:
                    with suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        taken += min(status.st_size, status.st_blocks * 512)
        return taken

    def _write(self, place: Path, content: bytes) -> None:
        part = place.with_name(f"{place.name}.{secrets.token_hex(4)}{PART}")
        try:
            with new_file(part) as stream:
                os.fchmod(stream.fileno(), self._file_mode)
                stream.write(content)
                sync_stream(stream)
            blur_times(part, today())
            part.rename(place)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync_folder(place.parent)
        self._blur(place.parent)

    def _blur(self, path: Path) -> None:
        with suppress(PermissionError):  # a folder that the settlement's user made
            blur_times(path, today())
            if path.parent != self.root:
                blur_times(path.parent, today())

    def _folder(self, unit: str) -> Path:
        folder = self._named(unit)
        if not folder.is_dir():
            # It becomes setgid as its parent is: no service may set that itself. The mask is the whole process's.
            with self._making:
                mask = os.umask(self._folder_mask)
                try:
                    folder.mkdir(exist_ok=True)
                finally:
                    os.umask(mask)
            with suppress(PermissionError):
                blur_times(self.root, today())
        return folder

    def _named(self, unit: str) -> Path:
        if not is_short_name(unit):
            raise ValueError("not a unit's name")
        return self.root / unit

    def _forward(self, unit: str, envelope_id: str) -> Path:
        if not is_envelope_id(envelope_id):
            raise ValueError("not an envelope's name")
        return self._named(unit) / envelope_id
