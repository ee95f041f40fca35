"""Where blobs are set aside before they are deleted: `set-aside/` in a folder of blobs, with a folder for each day.

Each step is taken from a folder that is open, and no link is followed: where something is not the plain folder or file
that it should be, that raises OSError, and nothing is moved or deleted by way of it.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from common.days import midnight_of, today
from common.envelope_id import is_envelope_id
from common.folders import entered

FOLDER = "set-aside"
_HELD = "-held"
_DAY = re.compile(rf"\d{{4}}-\d\d-\d\d(?:{_HELD})?")


@dataclass(frozen=True)
class Aside:
    """What is set aside of the blobs in the folder `root`."""

    root: Path

    def put(self, blob: Path, day: date, *, held: bool) -> None:
        """Move a blob here, if it is there, noting the day, and whether its unit holds it. Raises OSError."""
        with entered(self.root) as root:
            _make(FOLDER, root)
            with entered(FOLDER, root) as aside:
                name = f"{day}{_HELD if held else ''}"
                _make(name, aside)
                with entered(name, aside) as folder:
                    with suppress(FileNotFoundError):
                        os.rename(blob, blob.name, dst_dir_fd=folder)
                    for changed in (folder, aside):
                        os.utime(changed, (midnight_of(day), midnight_of(day)))

    def put_back(self, blob: Path) -> None:
        """Move a blob that was set aside to its place, `blob`, again. Raises OSError."""
        with self._days() as days:
            for _, folder in days:
                if blob.name in _files(folder):
                    os.rename(blob.name, blob, src_dir_fd=folder)
                    os.utime(folder, (midnight_of(today()), midnight_of(today())))

    def files(self) -> list[Path]:
        """The files that are set aside. Raises OSError."""
        with self._days() as days:
            return [self.root / FOLDER / name / file for name, folder in days for file in _files(folder)]

    def delete(self, before: date) -> None:
        """Delete what was set aside before a day. What cannot be deleted is left; raises OSError at the end."""
        failed: OSError | None = None
        with self._opened() as aside:
            for name in _days_in(aside):
                if name < before.isoformat():
                    try:
                        shutil.rmtree(name, dir_fd=aside)
                    except OSError as error:
                        failed = error
        if failed:
            raise failed

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """The folder; None where nothing was ever set aside."""
        with ExitStack() as stack:
            root, aside = stack.enter_context(entered(self.root)), None
            with suppress(FileNotFoundError):
                aside = stack.enter_context(entered(FOLDER, root))
            yield aside

    @contextmanager
    def _days(self) -> Iterator[Iterator[tuple[str, int]]]:
        with self._opened() as aside:
            yield _each_day(aside)


def was_held(aside: Path) -> bool:
    """Whether a blob was set aside because the database says that its unit holds it, and not because it has no row."""
    return aside.parent.name.endswith(_HELD)


def _each_day(aside: int | None) -> Iterator[tuple[str, int]]:
    for name in _days_in(aside):
        with entered(name, aside) as folder:
            yield name, folder


def _days_in(aside: int | None) -> list[str]:
    if aside is None:
        return []
    with os.scandir(aside) as entries:
        return sorted(entry.name for entry in entries if _DAY.fullmatch(entry.name))


def _files(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]


def _make(name: str, within: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=within)


def set_aside_under(root: Path) -> list[Path]:
    """The blobs set aside, of those in a folder of blobs. Raises OSError."""
    return [file for file in Aside(root).files() if is_envelope_id(file.name)]
