"""The tors that run on this machine, and their ends."""

import os
import select
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


def tors_of(folder: Path) -> dict[int, str]:
    """The processes on this machine that have a torrc below `folder`: id -> command line."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if f"{folder}/" in " ".join(words) and Path(words[0]).name == "tor":
            found[int(path.parent.name)] = " ".join(words)
    return found


@contextmanager
def pidfds(ids: Iterable[int]) -> Iterator[list[int]]:
    with ExitStack() as stack:
        ends = [os.pidfd_open(number) for number in ids]
        for end in ends:
            stack.callback(os.close, end)
        yield ends


def wait_for_ends(ends: list[int], seconds: float) -> None:
    limit = time.monotonic() + seconds
    for end in ends:
        assert select.select([end], [], [], max(0.0, limit - time.monotonic()))[0], "a tor still runs"
