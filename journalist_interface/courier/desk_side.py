"""The demo's desk, asked to do its part of a round. It is a room of its own, and a process of its own.

In life the stick is carried by hand to a machine that is never online; `round` is for trying Candour out.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

from journalist_interface.courier.errors import DeskRefused

_PROJECT = Path(__file__).resolve().parents[2]


def ask_desk(data: Path, task: Literal["import", "export"]) -> str:
    """Have the demo's desk take what is on the stick, or put its answers there. What it says: one line.

    Raises DeskRefused.
    """
    settings = data / "desk" / "desk.toml"
    if not settings.is_file():
        raise DeskRefused(f"There is no desk in {data}. Make the demo with `./candour up`, or name --data.")
    path = os.pathsep.join([str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-P", "-m", "journalist_interface.desk", "--config", str(settings), task],
        cwd=_PROJECT,
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 2:
        said = "\n".join(filter(None, [done.stdout.strip(), done.stderr.strip()]))
        raise DeskRefused(f"The desk says: {said}")
    if done.returncode != 0:
        raise DeskRefused(
            f"The desk's {task} failed (exit code {done.returncode}). Start the desk to see why."
        )
    return done.stdout.strip()
