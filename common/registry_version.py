"""The highest version of the registry that was seen in a place, in a file there: so that an old one is refused.

Whoever could put an older registry back could bring back a unit whose keys are in wrong hands. It is signed, and
nothing else tells it from the present one.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path

from common.config import load_registry
from common.registry import Registry, RegistryRefused

FILE = "registry-version"


def recall(remembered: Path) -> int:
    """The highest version seen; 0 where none was."""
    with suppress(OSError, ValueError):
        return int(remembered.read_text("ascii"))
    return 0


def remember(remembered: Path, version: int, mode: int = 0o644) -> None:
    """Note a version as the highest one seen."""
    part = remembered.with_name(f"{remembered.name}.{os.getpid()}-{threading.get_ident()}.part")
    part.touch(mode)
    part.write_text(f"{version}\n", "ascii")
    part.rename(remembered)


def check_not_older(registry: Registry, newest: int) -> None:
    """Raises RegistryRefused for a registry that is older than the newest one seen."""
    if registry.version < newest:
        raise RegistryRefused(
            f"its version {registry.version} is older than {newest}, seen before, so put the newest in place"
        )


def load_newest(file: Path, root: bytes, folder: Path) -> Registry:
    """The registry in a file, noted in `folder` as seen. Raises RegistryRefused, also where a newer one was."""
    registry, remembered = load_registry(file, root), folder / FILE
    newest = recall(remembered)
    check_not_older(registry, newest)
    if registry.version > newest:
        remember(remembered, registry.version, 0o600)
    return registry
