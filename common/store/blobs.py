"""Sealed envelopes as files: written aside, made durable, then put in place by one rename.

A blob's name is random and its time is midnight of the day. What a crash leaves behind lies in `staging/`, or is a
blob without a row; both are swept at start. A blob without a row is set aside for a while before it is deleted: it
may be the row that is missing, where the database is an old one or another. An object store can take its place.

All of it is its owner's alone, whatever the umask. Where two users serve, as on a host, whoever sets it up makes the
folder setgid: then its group may read what is in it, and write nothing. What a unit forwards comes in by the collection
instead, and lies in a folder beside, `forwarded/`, in which both may write and delete.
"""

import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from common.days import midnight_of, today
from common.store.aside import Aside

_ID = re.compile(r"[0-9a-f]{32}")
_PART = ".part"
FORWARDED_PREFIX = "ffff"


def is_blob_id(untrusted: str) -> bool:
    """True for 32 hex digits: what may be a file's name here."""
    return _ID.fullmatch(untrusted) is not None


def is_forwarded_id(untrusted: str) -> bool:
    """True for the id of an envelope that one unit passed on to another: no reporter's has this form.

    So whoever gets it can tell, whatever is inside, that no reporter sent it.
    """
    return is_blob_id(untrusted) and untrusted.startswith(FORWARDED_PREFIX)


def new_id(*, forwarded: bool = False) -> str:
    """A random id for an envelope: 32 hex digits."""
    if forwarded:
        return FORWARDED_PREFIX + secrets.token_hex(16)[len(FORWARDED_PREFIX) :]
    while is_forwarded_id(drawn := secrets.token_hex(16)):
        pass
    return drawn


def blur_times(path: Path, day: date) -> None:
    """Set a file's or folder's times to midnight of the day, if it is there."""
    with suppress(FileNotFoundError):
        os.utime(path, (midnight_of(day), midnight_of(day)))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class PendingBlob:
    """A blob that is being written. `path` does not exist yet: whoever seals creates it."""

    id: str
    path: Path


class BlobFolder:
    """Blobs under one folder, in 256 subfolders by their first two digits."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staging = root / "staging"
        self._forwarded = _forwarded_beside(root)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        shared = bool(root.stat().st_mode & stat.S_ISGID)
        self._mode = 0o640 if shared else 0o600
        mask = os.umask(0o027 if shared else 0o077)
        try:
            for folder in (self._staging, *(root / f"{n:02x}" for n in range(256))):
                folder.mkdir(exist_ok=True)
            self._forwarded.mkdir(exist_ok=True)
        finally:
            os.umask(mask)

    @contextmanager
    def pending(self) -> Iterator[PendingBlob]:
        """A new blob. Whatever was written is gone at the end, unless `publish` has put it in place."""
        identity = new_id()
        blob = PendingBlob(identity, self._staging / identity)
        try:
            yield blob
        finally:
            blob.path.unlink(missing_ok=True)

    def publish(self, blob: PendingBlob, day: date) -> int:
        """Put a finished blob in place, durably. Returns its size in bytes."""
        place = self.path(blob.id)
        descriptor = os.open(blob.path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fchmod(descriptor, self._mode)
            os.utime(descriptor, (midnight_of(day), midnight_of(day)))
            os.fsync(descriptor)
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        blob.path.rename(place)
        sync_folder(place.parent)
        for folder in (place.parent, self._staging):
            blur_times(folder, day)
        return size

    def path(self, blob_id: str) -> Path:
        """Where a blob is. Raises ValueError for what cannot be a blob's name."""
        if not is_blob_id(blob_id):
            raise ValueError("not a blob's name")
        return self._forwarded / blob_id if is_forwarded_id(blob_id) else self._root / blob_id[:2] / blob_id

    def forwarded_part(self, name: str) -> Path:
        """Where an envelope that a unit forwards grows. `name`: 32 hex digits, which need not be its id."""
        if not is_blob_id(name):
            raise ValueError("not a blob's name")
        return self._forwarded / f"{name}{_PART}"

    def publish_forwarded(self, part: Path, blob_id: str, day: date) -> None:
        """Put a forwarded envelope that is whole in place, durably."""
        place = self._forwarded / blob_id
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fchmod(descriptor, self._mode)
            os.utime(descriptor, (midnight_of(day), midnight_of(day)))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.rename(place)
        sync_folder(self._forwarded)
        self._blur_forwarded(day)

    def forwarded_ids(self, not_after: date) -> set[str]:
        """The forwarded blobs that are of this day or older. Unfinished ones of such a day are removed."""
        limit, found = midnight_of(not_after + timedelta(days=1)), set()
        for entry in self._forwarded.iterdir():
            with suppress(FileNotFoundError):
                status = entry.lstat()
                if status.st_mtime >= limit or not stat.S_ISREG(status.st_mode):
                    continue
                if entry.suffix == _PART:
                    entry.unlink()
                elif is_forwarded_id(entry.name):
                    found.add(entry.name)
        return found

    def _blur_forwarded(self, day: date) -> None:
        with suppress(PermissionError):  # on a host the folder is the source interface's
            blur_times(self._forwarded, day)

    def delete(self, blob_id: str) -> None:
        """Remove a blob, if it is there."""
        place = self.path(blob_id)
        place.unlink(missing_ok=True)
        with suppress(PermissionError):
            blur_times(place.parent, today())

    def ids(self, not_after: date) -> Iterator[tuple[str, set[str]]]:
        """The blobs that are of this day or older, folder by folder: (their first two digits, their ids)."""
        limit = midnight_of(not_after + timedelta(days=1))
        for folder in sorted(self._root.glob("[0-9a-f][0-9a-f]")):
            with os.scandir(folder) as entries:
                yield (
                    folder.name,
                    {
                        entry.name
                        for entry in entries
                        if is_blob_id(entry.name) and entry.stat(follow_symlinks=False).st_mtime < limit
                    },
                )

    def set_aside(self, blob_id: str, day: date, *, collected: bool = False) -> None:
        """Move a blob to where nothing looks for it but `put_back`, noting the day, and whether it was collected.

        It stays within the folder of its kind: on a host each of the two is a mount of its own. Raises OSError.
        """
        place = self.path(blob_id)
        self._aside(blob_id).put(place, day, collected=collected)
        blur_times(place.parent, day)

    def put_back(self, blob_id: str) -> None:
        """Move a blob that was set aside to its place again. Raises OSError."""
        place = self.path(blob_id)
        self._aside(blob_id).put_back(place)
        blur_times(place.parent, today())

    def _aside(self, blob_id: str) -> Aside:
        return self.asides[is_forwarded_id(blob_id)]

    @property
    def asides(self) -> tuple[Aside, Aside]:
        """Where reporters' blobs are set aside, and where forwarded ones are."""
        return Aside(self._root), Aside(self._forwarded)

    def clear_staging(self, not_after: date) -> None:
        """Remove what unfinished writing left, where nothing was written to it after this day."""
        limit = midnight_of(not_after + timedelta(days=1))
        for entry in self._staging.iterdir():
            with suppress(FileNotFoundError):  # put in place meanwhile
                if entry.stat().st_mtime < limit:
                    entry.unlink()

    def free_bytes(self) -> int:
        """Room left on the disk."""
        return shutil.disk_usage(self._root).free

    def enter(self) -> "Presence":
        """Say that this process may write blobs, for as long as it lives."""
        return Presence(self._root / "writers.lock")


def _forwarded_beside(root: Path) -> Path:
    return root.with_name("forwarded")


def set_aside_under(root: Path) -> list[Path]:
    """The blobs set aside, of those in a folder of blobs and of the forwarded ones beside it. Raises OSError."""
    asides = (Aside(root), Aside(_forwarded_beside(root)))
    return [file for aside in asides for file in aside.files() if is_blob_id(file.name)]


class Presence:
    """A shared lock that every process that writes blobs holds, its forked children with it."""

    def __init__(self, lock: Path) -> None:
        self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.alone = True  # nobody else writes: what lies about is left over
        except BlockingIOError:
            self.alone = False
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def share(self) -> None:
        """Let others write too."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        self.alone = False

    def leave(self) -> None:
        """Let go of the lock; it also goes when the process ends."""
        os.close(self._descriptor)
