"""One item of a bundle: a file on a stick. No link is followed, and size and SHA-256 are those of the manifest.

Nothing on a stick is trusted before it was checked here. What is read twice could have changed in between, so an item
is copied or read once and checked on the way.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from pathlib import Path

from common.durable import sync_stream

_CHUNK = 1024 * 1024
_ALTERED = "it is altered or damaged"


class ItemRefused(Exception):
    """One item of a bundle is not what its manifest says. Nothing of it was taken; other items are not affected.

    `name`: the item's, safe to show. `reason`: without a full stop.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The item {name} was not taken: {reason}.")
        self.name = name
        self.reason = reason


@dataclass(frozen=True)
class Item:
    """A file of a bundle: its name (32 hex digits), its size in bytes, its SHA-256 in hex."""

    name: str
    size: int
    sha256: str


def describe(file: Path) -> Item:
    """The item that a file is. Raises ItemRefused where it is no plain file."""
    with regular_file(file) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Item(file.name, os.fstat(stream.fileno()).st_size, digest)


def copy_item(folder: Path, item: Item, target: Path) -> None:
    """Copy an item off the stick to a new file, durably, checking it on the way.

    Raises ItemRefused, OSError; the file is gone then. Raises FileExistsError for one that is there.
    """
    with opened_item(folder, item) as source, target.open("xb") as copy:
        try:
            _copy(source, item, copy)
            sync_stream(copy)
        except BaseException:
            target.unlink()
            raise


def _copy(source: BufferedReader, item: Item, copy: BufferedWriter) -> None:
    digest, size = hashlib.sha256(), 0
    while size <= item.size and (chunk := _read(source, item, _CHUNK)):
        size += len(chunk)
        digest.update(chunk)
        copy.write(chunk)
    if size != item.size or digest.hexdigest() != item.sha256:
        raise ItemRefused(item.name, _ALTERED)


def check_item(folder: Path, item: Item) -> None:
    """See that an item is what the manifest says, whatever its size. Raises ItemRefused."""
    digest, size = hashlib.sha256(), 0
    with opened_item(folder, item) as source:
        while size <= item.size and (chunk := _read(source, item, _CHUNK)):
            size += len(chunk)
            digest.update(chunk)
    if size != item.size or digest.hexdigest() != item.sha256:
        raise ItemRefused(item.name, _ALTERED)


def opened_item(folder: Path, item: Item) -> AbstractContextManager[BufferedReader]:
    """An item's file, opened but not checked. Raises ItemRefused."""
    return regular_file(folder / item.name)


def read_item(folder: Path, item: Item, most: int) -> bytes:
    """A small item's content, checked. Raises ItemRefused."""
    if item.size > most:
        raise ItemRefused(item.name, "it is too large")
    with opened_item(folder, item) as source:
        content = _read(source, item, item.size + 1)
    if len(content) != item.size or hashlib.sha256(content).hexdigest() != item.sha256:
        raise ItemRefused(item.name, _ALTERED)
    return content


def _read(source: BufferedReader, item: Item, most: int) -> bytes:
    """A piece of an item. Raises ItemRefused where the stick does not give it."""
    try:
        return source.read(most)
    except OSError as error:
        raise ItemRefused(item.name, f"it cannot be read ({error.strerror})") from error


@contextmanager
def regular_file(untrusted_path: Path) -> Iterator[BufferedReader]:
    """A file of the stick, opened: not a link, not a device, not a pipe that would keep us waiting."""
    try:
        descriptor = os.open(untrusted_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ItemRefused(untrusted_path.name, "it is missing") from error
    except OSError as error:
        raise ItemRefused(untrusted_path.name, "it cannot be read, or is a link") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ItemRefused(untrusted_path.name, "it is not a plain file")
    with os.fdopen(descriptor, "rb") as stream:
        yield stream
