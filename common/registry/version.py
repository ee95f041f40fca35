"""The highest version of the registry that was seen in a place, in a file there: so that an old one is refused.

Whoever could put an older registry back could bring back a unit whose keys are in wrong hands. It is signed, and
nothing else tells it from the present one. What is noted never goes down, however many processes note it at once.

A version counts among those of its own root. So whoever had stolen a root, and signed the last version there can be,
has not spoilt the numbers of the root that takes its place.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.config import load_registry
from common.private_file import write_new
from common.registry.registry import Registry, RegistryRefused

FILE = "registry-version"


def recall(remembered: Path, root: bytes) -> int:
    """The highest version seen of those that this root (Ed25519, 32 bytes) signed; 0 where none was."""
    with suppress(OSError, ValueError):
        version, *of = remembered.read_text("ascii").split()
        if of in ([], [root.hex()]):  # one that names no root was noted by an earlier Candour
            return int(version)
    return 0


def check_not_older(registry: Registry, newest: int) -> None:
    """Raises RegistryRefused for a registry that is older than the newest one seen."""
    if registry.version < newest:
        raise RegistryRefused(
            f"its version {registry.version} is older than {newest}, seen before, so put the newest in place"
        )


def load_newest(file: Path, root: bytes, folder: Path) -> Registry:
    """The registry in a file, noted in `folder` as seen. Raises RegistryRefused, also where a newer one was."""
    return keep_up(load_registry(file, root), root, folder / FILE)


def keep_up(registry: Registry, root: bytes, remembered: Path) -> Registry:
    """The registry, which `root` signed, noted as seen. Raises RegistryRefused where a newer one was."""
    if recall(remembered, root) == registry.version:
        return registry
    with _alone(remembered):
        newest = recall(remembered, root)
        check_not_older(registry, newest)
        if registry.version > newest:
            _note(remembered, f"{registry.version} {root.hex()}\n")
    return registry


@contextmanager
def _alone(remembered: Path) -> Iterator[None]:
    """One at a time, of all threads and processes: between looking and noting nobody else notes."""
    lock = remembered.with_name(f"{remembered.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _note(remembered: Path, line: str) -> None:
    part = remembered.with_name(f"{remembered.name}.part")
    part.unlink(missing_ok=True)  # left by one that was killed
    write_new(part, line.encode("ascii"))
    part.rename(remembered)
    folder = os.open(remembered.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
