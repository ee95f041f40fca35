"""Empty files, made ahead, into which blobs are written.

A file system notes when a file was made, and numbers files in that order. So empty files are made ahead, many at once,
and each blob is written into one that is drawn from them, in `pool/`, at random: neither its number nor the time at
which it was made tells when its message came, or what came with it.
"""

import os
import secrets
import threading
from pathlib import Path

from common.days import blur_times, midnight_of, today

POOL = 256  # empty files that are made at once
_FEW = POOL // 4  # with fewer to draw from, more are made: the last ones could be told from each other


class BlobPool:
    """The empty files of one folder, which several processes draw from. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._to_draw: list[str] = []  # names of empty files; another process may have taken some meanwhile
        self._drawing = threading.Lock()

    def draw(self, place: Path) -> None:
        """Give one of the empty files, at random, its place."""
        while True:
            with self._drawing:
                if len(self._to_draw) < _FEW:
                    self._to_draw = self._filled(_FEW)
                at = secrets.randbelow(len(self._to_draw))
                self._to_draw[at], self._to_draw[-1] = self._to_draw[-1], self._to_draw[at]
                drawn = self.folder / self._to_draw.pop()
            try:
                os.utime(drawn, (midnight_of(today()), midnight_of(today())))  # no sweep takes it now
                drawn.rename(place)
            except FileNotFoundError:
                if drawn.exists():
                    raise
                continue  # another process has drawn it
            for folder in (self.folder, place.parent):
                blur_times(folder, today())
            return

    def fill(self) -> None:
        """Make empty files until there are 256."""
        with self._drawing:
            self._to_draw = self._filled(POOL)

    def _filled(self, enough: int) -> list[str]:
        with os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries]
        if len(names) < enough:
            made = [secrets.token_hex(16) for _ in range(POOL - len(names))]
            for name in made:
                _make_empty(self.folder / name)
            blur_times(self.folder, today())
            names += made
        return names


def _make_empty(place: Path) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.utime(descriptor, (midnight_of(today()), midnight_of(today())))
    finally:
        os.close(descriptor)
