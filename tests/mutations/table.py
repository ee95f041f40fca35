"""The table of mutations: what is broken on purpose, and which tests have to notice. It lies in `*.toml` beside this.

Each `[[mutation]]` has a `name` that says what is broken, the `file`, the `old` text, which stands in the file exactly
once, the `new` text in its place, and `tests`: pytest's name of each test that has to fail.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Mutation:
    """A patch, and the tests that have to fail with it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def patched(self, project: Path) -> str | None:
        """The patched content of the file; None where the patch does not apply: the old text is not there once."""
        try:
            content = (project / self.file).read_text("utf-8")
        except FileNotFoundError:
            return None
        return content.replace(self.old, self.new) if content.count(self.old) == 1 else None


def read_tables(files: Iterable[Path]) -> list[Mutation]:
    """The mutations of these tables, in their order. Raises KeyError or TypeError for an entry of another form."""
    return [
        Mutation(**entry | {"tests": tuple(entry["tests"])})
        for file in files
        for entry in tomllib.loads(file.read_text("utf-8"))["mutation"]
    ]


def all_mutations() -> list[Mutation]:
    """All that there are."""
    return read_tables(sorted(FOLDER.glob("*.toml")))
