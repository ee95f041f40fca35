"""The demo's desk and its servers, asked to do their part of a round. Each is a process of its own.

In life the stick is carried by hand to a machine that is never online, and the servers settle by themselves; `round` is
for trying Candour out.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from journalist_interface.courier.errors import DeskRefused, NotSettled

_PROJECT = Path(__file__).resolve().parents[2]
_NOT_ALL = 2  # how a desk ends that did not do all of it, and said why


@dataclass(frozen=True)
class Said:
    """What a desk says: what it did, and sentences on what it did not do."""

    did: str
    did_not: tuple[str, ...]


def ask_desk(data: Path, task: Literal["import", "export"]) -> Said:
    """Have the demo's desk take what is on the stick, or put its posts there. Raises DeskRefused."""
    settings = data / "desk" / "desk.toml"
    if not settings.is_file():
        raise DeskRefused(f"There is no desk in {data}. Make the demo with `./candour up`, or name --data.")
    done = _run("journalist_interface.desk", "--config", str(settings), task)
    if done.returncode not in (0, _NOT_ALL):
        raise DeskRefused(
            f"The desk's {task} failed (exit code {done.returncode}). Start the desk to see why."
        )
    return Said(
        done.stdout.strip(), tuple(f"The desk says: {line}" for line in done.stderr.splitlines() if line)
    )


def settle(data: Path) -> str:
    """Have the demo's servers settle now, not at their hour: what was delivered is taken in, what came is listed.

    What they say. Raises NotSettled.
    """
    done = _run("deploy", "settle", "--data", str(data), "--now")
    if done.returncode != 0:
        raise NotSettled(done.stderr.strip())
    return done.stdout.strip()


def _run(module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join([str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-P", "-m", module, *arguments],
        cwd=_PROJECT,
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
