"""The desk's sealed files: envelopes as they came, and the desk's own answers. Nothing readable is among them.

A file is copied or sealed aside, made durable, and put in place by one rename. What a kill leaves lies in
`staging/` and is cleared before the next import, or is a sealed file that no row names and the next import replaces.
"""

import os
import shutil
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from common.days import midnight_of
from common.durable import sync_file, sync_folder
from common.envelope_id import is_envelope_id


class SealedFiles:
    """Sealed files under one folder: envelopes by their first two digits, answers, and what is for other units."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.staging = root / "staging"
        self._answers = root / "answers"
        self._forwarded = root / "forwarded"
        for folder in (root, self.staging, self._answers, self._forwarded):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def envelope(self, envelope_id: str) -> Path:
        """Where an envelope is. Raises ValueError for what cannot be an envelope's name."""
        return self._root / _checked(envelope_id)[:2] / envelope_id

    def answer(self, answer_id: str) -> Path:
        """Where an answer is. Raises ValueError for what cannot be an answer's name."""
        return self._answers / _checked(answer_id)

    def put_envelopes(self, ids: Iterable[str], day: date) -> None:
        """Move durable files from `staging/` into place. Durable when this returns."""
        folders = set()
        for envelope_id in ids:
            aside, place = self.staging / envelope_id, self.envelope(envelope_id)
            aside.chmod(0o600)
            os.utime(aside, (midnight_of(day), midnight_of(day)))
            place.parent.mkdir(mode=0o700, exist_ok=True)
            aside.rename(place)
            folders.add(place.parent)
        for folder in (*sorted(folders), self._root):
            sync_folder(folder)

    def forwarded(self, name: str) -> Path:
        """Where an envelope for another unit is, or a forward's document. Raises ValueError for what is no name."""
        return self._forwarded / _checked(name)

    def put_forwarded(self, parts: Iterable[tuple[Path, str]]) -> None:
        """Make sealed files durable and give them their names."""
        for part, name in parts:
            sync_file(part, 0o600)
            part.rename(self.forwarded(name))
        sync_folder(self._forwarded)

    def clear_forwarded(self, known: frozenset[str]) -> None:
        """Remove what an unfinished passing on left. Only while holding the desk's lock."""
        for entry in self._forwarded.iterdir():
            if entry.name not in known:
                entry.unlink()

    def put_answer(self, part: Path, answer_id: str) -> None:
        """Make a sealed answer durable and move it into place."""
        sync_file(part, 0o600)
        part.rename(self.answer(answer_id))
        sync_folder(self._answers)

    def replace(self, part: Path, place: Path) -> None:
        """Make a re-sealed file durable and put it in place of the old one, with its day."""
        os.utime(part, (place.stat().st_mtime,) * 2)
        sync_file(part, 0o600)
        part.rename(place)
        sync_folder(place.parent)

    def clear_staging(self) -> None:
        """Remove what an unfinished import left. Only while holding the desk's lock."""
        for entry in self.staging.iterdir():
            entry.unlink()

    def free_bytes(self) -> int:
        """Room left on the disk."""
        return shutil.disk_usage(self._root).free


def _checked(untrusted: str) -> str:
    if not is_envelope_id(untrusted):
        raise ValueError("not a sealed file's name")
    return untrusted
