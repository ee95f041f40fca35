"""The highest version of the registry that was seen in a place, in a file there: so that an old one is refused.

Whoever could put an older registry back could bring back a unit whose keys are in wrong hands. It is signed, and
nothing else tells it from the present one. What is noted never goes down, however many processes note it at once.

A version counts among those of its own root. So whoever had stolen a root, and signed the last version there can be,
has not spoilt the numbers of the root that takes its place.
"""

from contextlib import suppress
from pathlib import Path

from common.config import load_registry
from common.durable import locked, write_whole
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
    with locked(remembered.with_name(f"{remembered.name}.lock")):
        newest = recall(remembered, root)
        check_not_older(registry, newest)
        if registry.version > newest:
            write_whole(remembered, f"{registry.version} {root.hex()}\n".encode("ascii"))
    return registry
