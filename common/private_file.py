"""A file that is its owner's alone, and that never takes the place of another."""

import os
from pathlib import Path


def write_new(file: Path, content: bytes) -> None:
    """Write a new file, mode 0600, durably. Raises FileExistsError: nothing is ever overwritten."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
