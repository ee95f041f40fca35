"""Sealed envelopes as files: written aside, made durable, then put in place by one rename.

A blob's name is random and its time is midnight of the day. What a crash leaves behind lies in `staging/`, or is a
blob without a row; both are swept at start. A blob without a row is set aside for a while before it is deleted: it
may be the row that is missing, where the database is an old one or another. An object store can take its place.

All of it is its owner's alone, whatever the umask. Where two users serve, as on a host, whoever sets it up makes the
folder setgid. Then its group may enter, list nothing, and read the blobs that are `shown` to it; it can write nothing.
"""

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from io import FileIO
from pathlib import Path
from typing import Protocol

from common.days import blur_times, midnight_of, today
from common.durable import sync_folder
from common.envelope_id import is_envelope_id, new_id
from common.store.blob_pool import BlobPool
from common.store.set_aside import Aside

_DAY_NS = 86_400 * 10**9


def is_shared(folder: Path) -> bool:
    """Whether a folder was made setgid, for a group of two users."""
    return bool(folder.stat().st_mode & stat.S_ISGID)


@dataclass(frozen=True)
class PendingBlob:
    """A blob that is being written. `descriptor` is empty, and open for whoever seals to write into."""

    id: str
    descriptor: int


class Blobs(Protocol):
    """What keeps sealed envelopes, by their ids. A folder does; an object store can."""

    def create(self, blob_id: str | None = None) -> AbstractContextManager[PendingBlob]:
        """A new blob, open for writing. Whatever was written is gone at the end, unless it was committed."""

    def commit(self, blob: PendingBlob, day: date) -> int:
        """Put a finished blob in place, durably. Returns its size in bytes. Raises OSError."""

    def open(self, blob_id: str) -> FileIO:
        """A blob, open for reading from anywhere in it. Raises FileNotFoundError; ValueError for no blob's name."""

    def delete(self, blob_id: str) -> None:
        """Remove a blob, if it is there."""

    def ids(self) -> Iterator[tuple[str, set[str]]]:
        """The blobs, in parts: (a part's name, the ids in it)."""


class BlobFolder(Blobs):
    """Blobs under one folder, in 256 subfolders by their first two digits. Safe to share between threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staging = root / "staging"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._shared = is_shared(root)
        mask = os.umask(0o067 if self._shared else 0o077)
        try:
            for folder in (root / "pool", self._staging, *self._folders()):
                folder.mkdir(exist_ok=True)
        finally:
            os.umask(mask)
        self._pool = BlobPool(root / "pool")

    def _folders(self) -> list[Path]:
        return [self._root / f"{n:02x}" for n in range(256)]

    @contextmanager
    def create(self, blob_id: str | None = None) -> Iterator[PendingBlob]:
        """A new blob, open for writing. Whatever was written is gone at the end, unless it was committed.

        `blob_id`: its id, where that is not to be a random one.
        """
        identity = blob_id or new_id()
        place = self._staging / identity
        self._pool.draw(place)
        try:
            descriptor = os.open(place, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                yield PendingBlob(identity, descriptor)
            finally:
                os.close(descriptor)
        finally:
            place.unlink(missing_ok=True)
            blur_times(self._staging, today())

    def fill_pool(self) -> None:
        """Make empty files until there are 256."""
        self._pool.fill()

    def commit(self, blob: PendingBlob, day: date) -> int:
        """Put a finished blob in place, durably. Returns its size in bytes."""
        place = self._path(blob.id)
        os.fchmod(blob.descriptor, 0o600)
        os.utime(blob.descriptor, (midnight_of(day), midnight_of(day)))
        os.fsync(blob.descriptor)
        (self._staging / blob.id).rename(place)
        sync_folder(place.parent)
        blur_times(place.parent, day)
        return os.fstat(blob.descriptor).st_size

    def open(self, blob_id: str) -> FileIO:
        """A blob, open for reading from anywhere in it. Raises FileNotFoundError; ValueError for no blob's name."""
        return open_blob(self._root, blob_id)

    def _path(self, blob_id: str) -> Path:
        return blob_path(self._root, blob_id)

    def show(self, blob_id: str) -> bytes | None:
        """Let the folder's group, if there is one, read a blob. Returns its SHA-256; None where there is no blob."""
        try:
            with self.open(blob_id) as stream:
                if self._shared:
                    os.fchmod(stream.fileno(), 0o640)
                return hashlib.file_digest(stream, "sha256").digest()
        except FileNotFoundError:
            return None

    def delete(self, blob_id: str) -> None:
        """Remove a blob, if it is there."""
        place = self._path(blob_id)
        place.unlink(missing_ok=True)
        blur_times(place.parent, today())

    def touch_all(self) -> None:
        """Set the times of all blobs and folders to what they are, so that each was last changed now.

        A file system notes when a file's times were last set, and no program can set that note. After this it says
        the same of all of them, one by one in the order of their names.
        """
        for folder in (self._pool.folder, *self._folders()):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                with os.scandir(descriptor) as entries:
                    names = sorted(entry.name for entry in entries)
                for name in names:
                    with suppress(FileNotFoundError):
                        _set_to_midnight(name, within=descriptor)
                _set_to_midnight(descriptor)
            finally:
                os.close(descriptor)
        for folder in (self._staging, self._root):
            _set_to_midnight(folder)

    def ids(self) -> Iterator[tuple[str, set[str]]]:
        """The blobs, folder by folder: (their first two digits, their ids)."""
        for folder in self._folders():
            with os.scandir(folder) as entries:
                yield folder.name, {entry.name for entry in entries if is_envelope_id(entry.name)}

    def is_younger(self, blob_id: str, day: date) -> bool:
        """Whether a blob is of a later day; so is one that is gone."""
        limit = midnight_of(day + timedelta(days=1))
        try:
            return self._path(blob_id).lstat().st_mtime >= limit
        except FileNotFoundError:
            return True

    def set_aside(self, blob_id: str, day: date, *, held: bool = False) -> None:
        """Move a blob to where nothing looks for it but `put_back`, noting the day, and whether its unit holds it.

        Raises OSError.
        """
        place = self._path(blob_id)
        self.aside.put(place, day, held=held)
        blur_times(place.parent, day)

    def put_back(self, blob_id: str) -> None:
        """Move a blob that was set aside to its place again. Raises OSError."""
        place = self._path(blob_id)
        self.aside.put_back(place)
        blur_times(place.parent, today())

    @property
    def aside(self) -> Aside:
        """Where blobs are set aside."""
        return Aside(self._root)

    def clear_staging(self, not_after: date) -> None:
        """Remove what unfinished writing left, where nothing was written to it after this day."""
        limit = midnight_of(not_after + timedelta(days=1))
        for entry in self._staging.iterdir():
            with suppress(FileNotFoundError):  # put in place meanwhile
                if entry.stat().st_mtime < limit:
                    entry.unlink()
        blur_times(self._staging, today())

    def free_bytes(self) -> int:
        """Room left on the disk."""
        return shutil.disk_usage(self._root).free

    def disk_bytes(self) -> int:
        """The disk's size."""
        return shutil.disk_usage(self._root).total

    @property
    def lock_of_settlement(self) -> Path:
        """What only one settlement at a time holds."""
        return self._root / "settlement.lock"

    def enter(self) -> "Presence":
        """Say that this process may write blobs, for as long as it lives."""
        return Presence(self._root / "writers.lock")


def blob_path(root: Path, blob_id: str) -> Path:
    """Where a blob is in the folder of blobs `root`. Raises ValueError for what cannot be a blob's name."""
    if not is_envelope_id(blob_id):
        raise ValueError("not a blob's name")
    return root / blob_id[:2] / blob_id


def open_blob(root: Path, blob_id: str) -> FileIO:
    """A blob of the folder of blobs `root`, open for reading. Raises FileNotFoundError, or ValueError."""
    return FileIO(os.open(blob_path(root, blob_id), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "r")


def _set_to_midnight(place: Path | str | int, within: int | None = None) -> None:
    follow = isinstance(place, int)  # a descriptor is no link
    status = os.stat(place, dir_fd=within, follow_symlinks=follow)
    midnight = status.st_mtime_ns - status.st_mtime_ns % _DAY_NS
    os.utime(place, ns=(midnight, midnight), dir_fd=within, follow_symlinks=follow)


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
