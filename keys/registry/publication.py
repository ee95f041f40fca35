"""Putting a signed registry where servers and desks read it: whole, at once, and never an older one."""

from contextlib import suppress
from pathlib import Path

from common.config import read_root
from common.days import today
from common.durable import write_whole
from common.registry import registry as registries
from common.registry.registry import Registry, RegistryRefused

FILE_NAME = "registry.json"
ROOT_NAME = "registry-root.pub"
PUBLIC = 0o644


class NotPublished(Exception):
    """Nothing was changed. The message says why, and what to do."""


def publish(signed: bytes, root: bytes, *folders: Path) -> tuple[Path, ...]:
    """Put a signed registry into each of some folders, as registry.json; gives those files back.

    Raises RegistryRefused for one that does not hold today, and NotPublished where a folder is not there, has a newer
    one or another of the same version, or trusts another root. Then nothing was written to any of them.
    """
    new = registries.verify(signed, root, today())
    for folder in folders:
        _check(signed, new, root, folder)
    files = tuple(folder / FILE_NAME for folder in folders)
    for file in files:
        write_whole(file, signed, PUBLIC)
    return files


def _check(signed: bytes, new: Registry, root: bytes, folder: Path) -> None:
    if not folder.is_dir():
        raise NotPublished(
            f"{folder} is no folder that is there, so nothing was published anywhere. Look at how it is written: a "
            "server or desk whose folder is missed goes on with its old registry."
        )
    file = folder / FILE_NAME
    _check_root(folder / ROOT_NAME, root)
    with suppress(FileNotFoundError, RegistryRefused):  # what no server would read is simply replaced
        there = file.read_bytes()
        old = registries.verify_signature(there, root)
        if old.version > new.version:
            raise NotPublished(
                f"{file} has version {old.version}, and this is {new.version}. Publish the newest."
            )
        if old.version == new.version and there != signed:
            raise NotPublished(
                f"{file} has another registry of version {old.version}. Sign this one with a higher version."
            )


def _check_root(beside: Path, root: bytes) -> None:
    """What is there goes on to serve, rather than be closed by a registry that nobody there believes."""
    if beside.exists() and read_root(beside) != root:
        raise NotPublished(
            f"{beside} names another root than the one that signed this. Nothing was changed there. Where the root "
            "was changed on purpose, use `candour keys root trust`."
        )
