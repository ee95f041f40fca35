"""Putting a signed registry where servers and desks read it: whole, at once, and never an older one."""

import os
from contextlib import suppress
from pathlib import Path

from common import registry
from common.config import read_root
from common.days import today
from common.registry import RegistryRefused

FILE_NAME = "registry.json"
ROOT_NAME = "registry-root.pub"


class NotPublished(Exception):
    """Nothing was changed. The message says why, and what to do."""


def publish(signed: bytes, root: bytes, target: Path) -> Path:
    """Put a signed registry into a folder (as registry.json) or in place of a file; gives the file back.

    Raises RegistryRefused for one that does not hold today, and NotPublished where a newer one is in place, another
    of the same version, or where another root is trusted.
    """
    new = registry.verify(signed, root, today())
    file = target / FILE_NAME if target.is_dir() else target
    _check_root(file.with_name(ROOT_NAME), root)
    with suppress(FileNotFoundError, RegistryRefused):  # what no server would read is simply replaced
        there = file.read_bytes()
        old = registry.verify_signature(there, root)
        if old.version > new.version:
            raise NotPublished(
                f"{file} has version {old.version}, and this is {new.version}. Publish the newest."
            )
        if old.version == new.version and there != signed:
            raise NotPublished(
                f"{file} has another registry of version {old.version}. Sign this one with a higher version."
            )
    put(file, signed)
    return file


def _check_root(beside: Path, root: bytes) -> None:
    """What is there goes on to serve, rather than be closed by a registry that nobody there believes."""
    if beside.exists() and read_root(beside) != root:
        raise NotPublished(
            f"{beside} names another root than the one that signed this. Nothing was changed there. Where the root "
            "was changed on purpose, use `candour keys root trust`."
        )


def put(file: Path, content: bytes) -> None:
    """Write a public file whole or not at all, durably."""
    part = file.with_name(file.name + ".part")
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.chmod(0o644)
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
