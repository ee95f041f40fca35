"""What outlives a power cut, and who works alone: files written durably, and locks between processes.

A file is durable once it is synced, and its name once its folder is. So what is written whole is synced, then renamed,
then its folder is synced: whoever looks finds what was there before or all that is there now. Everything here raises
OSError, such as of a full disk.

This is the standard library alone: deploy/install runs it before any package is there.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PRIVATE = 0o600


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    _sync(folder, os.O_DIRECTORY)


def sync_file(file: Path, mode: int | None = None) -> None:
    """Make a file durable that others have written, and before that its mode what it is to be. It is no link."""
    _sync(file, os.O_NOFOLLOW, mode)


def sync_stream(stream: IO[bytes] | IO[str]) -> None:
    """Make all durable that was written to an open file."""
    stream.flush()
    os.fsync(stream.fileno())


def new_file(file: Path | str, mode: int = PRIVATE, *, within: int | None = None) -> IO[bytes]:
    """Open a new file to write to; `within`: the folder that its name is of. Raises FileExistsError.

    The umask takes from `mode`. A link in its place counts as a file, wherever it leads.
    """
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, dir_fd=within), "wb")


def write_new(file: Path, content: bytes) -> None:
    """Write a new file that is its owner's alone, durably but for its name. Raises FileExistsError."""
    with new_file(file) as stream:
        stream.write(content)
        sync_stream(stream)


def write_whole(file: Path, content: bytes, mode: int = PRIVATE, group: int | None = None) -> None:
    """Write a file whole or not at all, durably, in place of what is there. `group`: its number.

    One process at a time writes the same file: what another has begun beside it counts as left over.
    """
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)  # left by one that was killed
    try:
        with new_file(part) as stream:
            stream.write(content)
            if group is not None:
                os.fchown(stream.fileno(), -1, group)
            if mode != PRIVATE:
                os.fchmod(stream.fileno(), mode)
            sync_stream(stream)
        part.rename(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def append(file: Path, content: bytes) -> None:
    """Write more to the end of a file, durably; it is made where it is not there."""
    with file.open("ab") as stream:
        stream.write(content)
        sync_stream(stream)


@contextmanager
def locked(place: Path, busy: Exception | None = None) -> Iterator[None]:
    """While it lasts nobody else holds this lock, in this process or another.

    `place`: a folder that is there, or a file, which is made where it is not there. Waits for whoever holds it; or
    raises `busy` at once.
    """
    flags = os.O_RDONLY if place.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(place, flags, PRIVATE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError as error:
            raise busy or error from error
        yield
    finally:
        os.close(descriptor)


def _sync(path: Path, flags: int, mode: int | None = None) -> None:
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        if mode is not None:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
