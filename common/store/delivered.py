"""A unit's folder in the inbox as the settlement looks at it: untrusted, for a broken-into collection writes there.

Each step is taken from a folder that is open, no link is followed, and only a plain file of a bounded size is ever
read. Nothing of it is trusted after it was read: it is read once, into memory or into a blob.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice

from common.days import midnight_of, today
from common.envelope_id import is_envelope_id
from common.folders import entered
from common.store.inbox import PART, SLIP

MOST_LOOKED_AT = 4096  # names in a folder, at one settlement: several times what a unit may have there


@dataclass(frozen=True)
class Found:
    """Names in a unit's folder, each list in their order. `forwards`: ids with a slip and, all of it, an envelope.

    `unfinished`: what a courier may still go on with. `foreign`: what no courier's delivery leaves there.
    """

    posts: list[str] = field(default_factory=list)
    forwards: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


class UnitFolder:
    """A folder in the inbox, open as `descriptor`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def names(self) -> list[str]:
        """As many names as are looked at, in their order."""
        with os.scandir(self._descriptor) as entries:
            return sorted(entry.name for entry in islice(entries, MOST_LOOKED_AT))

    def look(self) -> Found:
        """What lies there, as far as a bounded number of names goes."""
        names = self.names()
        there, found = set(names), Found()
        for name in names:
            base = name.removesuffix(SLIP).removesuffix(PART)
            if is_envelope_id(name):
                (found.forwards if name + SLIP in there else found.posts).append(name)
            elif name.endswith(PART) or (is_envelope_id(base) and base not in there):
                found.unfinished.append(name)
            elif not is_envelope_id(base):
                found.foreign.append(name)
        return found

    def read(self, name: str, most: int) -> bytes | None:
        """A plain file of 1 to `most` bytes, whole; None for anything else."""
        with suppress(OSError), self.opened(name) as (descriptor, size):
            if 0 < size <= most:
                content = os.read(descriptor, most + 1)
                return content if len(content) == size else None
        return None

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, int]]:
        """A plain file, as a descriptor to read from and its size in bytes. Raises OSError for anything else."""
        _check_plain(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False))
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(name, flags, dir_fd=self._descriptor)
        try:
            status = os.fstat(descriptor)
            _check_plain(status)
            yield descriptor, status.st_size
        finally:
            os.close(descriptor)

    def is_older(self, name: str, seconds_since_1970: float) -> bool:
        """Whether something was last written before then."""
        with suppress(OSError):
            return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False).st_mtime < seconds_since_1970
        return False

    def delete(self, name: str) -> bool:
        """Remove a file, link, pipe or empty folder. False where it is still there."""
        try:
            os.unlink(name, dir_fd=self._descriptor)
        except FileNotFoundError:
            return True
        except OSError:
            try:
                os.rmdir(name, dir_fd=self._descriptor)
            except OSError:
                return False
        return True

    def blur(self) -> None:
        """Set the folder's times to midnight, where that is allowed; what was deleted stays deleted."""
        with suppress(OSError):
            os.fsync(self._descriptor)
        with suppress(OSError):
            os.utime(self._descriptor, (midnight_of(today()), midnight_of(today())))


def _check_plain(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a plain file")


class NotEntered(Exception):
    """A unit's folder is none, or one that may not be entered."""


@contextmanager
def unit_folder(name: str, root: int) -> Iterator[UnitFolder | None]:
    """None where a unit has none. Raises NotEntered."""
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(entered(name, root))
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise NotEntered from error
        yield UnitFolder(descriptor)


def delete_folder(root: int, name: str) -> int:
    """Delete what lies in a folder and the folder itself. Returns how many things are still there."""
    left = 0
    with suppress(OSError), entered(name, root) as descriptor:
        left = sum(not UnitFolder(descriptor).delete(one) for one in UnitFolder(descriptor).names())
    return left or int(not UnitFolder(root).delete(name))
