"""Who owns what on a host, and in which mode: read from the one file that says so, tmpfiles.d/candour.conf."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.host.settings import HERE

CONF = HERE / "tree" / "etc" / "tmpfiles.d" / "candour.conf"
SYSUSERS = HERE / "tree" / "etc" / "sysusers.d" / "candour.conf"


@dataclass(frozen=True)
class Rule:
    """A line of tmpfiles.d(5): what stands at `path` has this mode, user and group."""

    kind: str  # d: a folder that must be there; f: a file that is made; z: a file if it is there
    path: str
    mode: int
    user: str
    group: str


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, in the order of the file."""
    return tuple(_read(CONF.read_text("utf-8")))


def _read(text: str) -> Iterator[Rule]:
    for line in text.splitlines():
        fields = line.split()
        if fields and not fields[0].startswith("#"):
            kind, path, mode, user, group = fields[:5]
            yield Rule(kind, path, int(mode, 8), user, group)


def user_lines() -> list[str]:
    """The lines of sysusers.d(5) that make a host's users and groups."""
    lines = map(str.strip, Path(SYSUSERS).read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
