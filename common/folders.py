"""Folders that another account may write to: each is entered by its descriptor, and a link in its place is refused."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def entered(folder: Path | str, within: int | None = None) -> Iterator[int]:
    """A folder that is open, and no link. Raises OSError."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder, flags, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
