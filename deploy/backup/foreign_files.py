"""Files in folders that belong to other users of the host, read by root.

Promises: no link is followed below the folder, and only plain files are opened. So a user who has been taken over
cannot have another's file read in place of their own, nor let the backup wait for a pipe.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from deploy.backup.errors import BackupFailed

_STRANGE = {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW


@contextmanager
def opened(folder: Path, *names: str) -> Iterator[tuple[BinaryIO, int]]:
    """The file at `names` below a folder whose own place nobody else can change, and its size in bytes.

    Raises BackupFailed where it is no plain file or behind a link, FileNotFoundError where there is none.
    """
    with ExitStack() as stack:
        try:
            parent = _entered(stack, folder, names[:-1])
            stream = stack.enter_context(os.fdopen(os.open(names[-1], _FILE, dir_fd=parent), "rb"))
        except OSError as error:
            if error.errno in _STRANGE:
                raise _strange(folder.joinpath(*names)) from error
            raise
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _strange(folder.joinpath(*names))
        yield stream, status.st_size


def listed(folder: Path, *names: str) -> list[str]:
    """What is in the folder at `names`. Raises as `opened` does."""
    with ExitStack() as stack:
        try:
            return sorted(os.listdir(_entered(stack, folder, names)))
        except OSError as error:
            if error.errno in _STRANGE:
                raise _strange(folder.joinpath(*names)) from error
            raise


def _entered(stack: ExitStack, folder: Path, names: tuple[str, ...]) -> int:
    descriptor = os.open(folder, _FOLDER)
    stack.callback(os.close, descriptor)
    for name in names:
        descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
        stack.callback(os.close, descriptor)
    return descriptor


def _strange(path: Path) -> BackupFailed:
    return BackupFailed(
        f"{path} is no plain file, or lies behind a link. Candour makes none: find out who did, for this host may be "
        "broken into. Take it away, then make the backup again."
    )
