"""Owners and modes of what was restored on a host, as tmpfiles.d says; made before it is in place.

tmpfiles.d names folders and a few files. What lies in the envelopes' folder belongs to the source interface, and the
collection may read what was listed; the database is the source interface's alone, and what lies in tor's folder is
tor's. The listing is not in a backup: the first start makes one, of what was listed then.
"""

import os
from pathlib import Path

from deploy.backup.layout import Layout
from deploy.host import ownership
from deploy.host.place import Place

_TOR = "_tor-candour"
_WRITER, _GROUP = "candour-source", "candour"


def give_owners(layout: Layout, fresh: Layout) -> None:
    """Make a host's users, if they are not there, and give them what is theirs. Raises StepFailed."""
    place = Place(layout.root)
    lines = ownership.user_lines()
    place.tool("systemd-sysusers", *(["--inline"] if lines else []), *lines)
    assert fresh.onions is not None  # noqa: S101
    _all_within(fresh.blobs, place.user(_WRITER), place.group(_GROUP), (0o2710, None))
    _all_within(fresh.database.parent, place.user(_WRITER), place.group(_WRITER), (0o700, 0o600))
    _all_within(fresh.onions, place.user(_TOR), place.group(_TOR), (0o2700, 0o600))
    for rule in ownership.rules():
        path = place.path(rule.path)
        if not any(path.is_relative_to(folder) for folder in layout.folders):
            continue
        made = layout.fresh(path)
        if made.exists() and not made.is_symlink():
            _give(made, _user(place, rule.user), _group(place, rule.group), rule.mode)


def _all_within(top: Path, user: int, group: int, modes: tuple[int, int | None]) -> None:
    """`modes`: of folders, and of files; None: they keep theirs."""
    for folder, _, files in os.walk(top):
        _give(Path(folder), user, group, modes[0])
        for name in files:
            _give(Path(folder, name), user, group, modes[1])


def _give(path: Path, user: int, group: int, mode: int | None) -> None:
    os.chown(path, user, group, follow_symlinks=False)
    if mode is not None:
        path.chmod(mode)


def _user(place: Place, name: str) -> int:
    return 0 if name == "root" else place.user(name)


def _group(place: Place, name: str) -> int:
    return 0 if name == "root" else place.group(name)
