"""`import`: a thousand envelopes at the desk until they stand in its list, beside bare gpg, one after another."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter

from common.gpg.runner import gpg_environment
from deploy import data_folder
from deploy.run.servers import PROJECT
from deploy.workshop.bench.browser import Surprise
from deploy.workshop.bench.figures import Figure, in_turn, ratio
from deploy.workshop.bench.rows.message import Client, together
from deploy.workshop.bench.stage import Stage, fresh_stage

_CLIENTS, _EACH = 8, 125
_TIMES = 5


def run(servers: Stage) -> Iterator[Figure]:
    """Envelopes a second, of bare gpg's."""
    with fresh_stage(servers, "import") as full:
        stick = full.data / "stick"
        together([Client(full.source) for _ in range(_CLIENTS)], _EACH - 1)  # beginning is one too
        _run("deploy", "courier", "collect", "--data", str(full.data), "--to", str(stick))
        envelopes = sorted(file for file in stick.glob("*/*") if file.suffix == "")
        ours, bare = in_turn(_TIMES, lambda: _import(full, len(envelopes)), lambda: _decrypt(full, envelopes))
        what = f"{len(envelopes):,} envelopes until they are in the list, of bare gpg's pace"
        yield ratio("import", what, ours, bare, 0.80, at_most=False)


def _import(servers: Stage, expected: int) -> float:
    """Seconds that a desk takes that has seen nothing yet, from its start on."""
    kept = data_folder.desk_settings(servers.data).read_text("utf-8")
    folder = servers.data / "desk"
    settings = folder / "bench.toml"
    settings.write_text(
        kept.replace('"desk.sqlite"', '"bench/desk.sqlite"').replace('"sealed"', '"bench/sealed"')
    )
    (folder / "bench" / "sealed").mkdir(parents=True)
    started = perf_counter()
    _run("journalist_interface.desk", "--config", str(settings), "import")
    took = perf_counter() - started
    with closing(sqlite3.connect(folder / "bench" / "desk.sqlite")) as database:
        [(listed,)] = database.execute("SELECT sum(messages) FROM conversation")
    if listed != expected:
        raise Surprise(f"the desk lists {listed} messages where {expected} were imported")
    shutil.rmtree(folder / "bench")
    return took


def _decrypt(servers: Stage, envelopes: list[Path]) -> float:
    """Seconds that gpg takes for all, each in a process of its own, its output thrown away.

    Its command line is its own, because ours is what is measured against it.
    """
    home = data_folder.gnupg_home(servers.data)
    started = perf_counter()
    for file in envelopes:
        subprocess.run(
            ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-options", "--decrypt", str(file)],
            env=gpg_environment(),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return perf_counter() - started


def _run(*words: str) -> None:
    subprocess.run([sys.executable, "-m", *words], cwd=PROJECT, check=True, capture_output=True)
