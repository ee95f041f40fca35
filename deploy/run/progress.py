"""Says what is being done: a spinner and the time taken on a terminal, a plain line anywhere else."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show that `text` is under way, on stderr, and that it is done."""
    started = time.monotonic()
    if sys.stderr.isatty():
        from rich.console import Console

        console = Console(stderr=True)
        with console.status(text):
            yield
        console.print(
            f"[green]✓[/green] {text} [dim]{time.monotonic() - started:.1f} s[/dim]", highlight=False
        )
    else:
        print(f"{text}.", file=sys.stderr, flush=True)
        yield
