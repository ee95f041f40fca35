"""Shows how far the courier is: a bar on a terminal, plain lines anywhere else. On stderr; results go to stdout."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as RichProgress


class Bar(Protocol):
    """Counts bytes: `within` the piece that is under way, and pieces that have `passed`."""

    def within(self, position: int) -> None: ...
    def passed(self, size: int) -> None: ...


class Progress:
    """Says what is being done."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Something without a measure."""
        if not self._console.is_terminal:
            self._console.print(f"{text}.", markup=False, soft_wrap=True)
            yield
            return
        with self._console.status(text):
            yield

    @contextmanager
    def bar(self, text: str, total: int) -> Iterator[Bar]:
        """Something of `total` bytes."""
        if total and not self._console.is_terminal:
            self._console.print(f"{text} {total / 1e6:,.1f} MB.", markup=False, soft_wrap=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        shown = RichProgress(
            *columns, console=self._console, transient=True, disable=not (total and self._console.is_terminal)
        )
        with shown:
            yield _RichBar(shown, shown.add_task(text, total=total))


class _RichBar:
    def __init__(self, shown: RichProgress, task: TaskID) -> None:
        self._shown = shown
        self._task = task
        self._passed = 0

    def within(self, position: int) -> None:
        self._shown.update(self._task, completed=self._passed + position)

    def passed(self, size: int) -> None:
        self._passed += size
        self.within(0)
