"""One country for all drills of the tests: each gets a copy, which takes no gpg."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from deploy.workshop.drills import country
from deploy.workshop.drills.command import rehearse
from deploy.workshop.drills.country import make
from tests.once import Once


@pytest.fixture(scope="session")
def template(once: Once, short_folder: Callable[[], Path]) -> Path:
    folder = short_folder()
    once.copy("country", lambda empty: make(empty / "c"), folder)
    return folder / "c"


@dataclass(frozen=True)
class Rehearsed:
    """The claims that failed, all that was said, and the folder that it worked in."""

    failed: list[str]
    said: str
    folder: Path

    @property
    def commands(self) -> list[str]:
        """The command lines that it showed."""
        return [line.strip() for line in self.said.splitlines() if re.match(r" {6}\S", line)]


@pytest.fixture(scope="session")
def whole(template):
    """A drill as it goes when nothing is broken, rehearsed once for all tests."""
    return cache(lambda name: _rehearsed(name, template))


@pytest.fixture
def drill(template):
    """Rehearses a drill anew."""
    return lambda name: _rehearsed(name, template)


def _rehearsed(name: str, template: Path) -> Rehearsed:
    said: list[str] = []
    folders: list[Path] = []
    copy = country.copy_home

    def copied(source: Path, target: Path) -> None:
        folders.append(target)
        copy(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(country, "copy_home", copied)
        failed = rehearse(name, said.append, template)
    return Rehearsed(failed, "\n".join(said), folders[0])
