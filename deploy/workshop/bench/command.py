"""Runs the benches one after another, shows a table, and writes it into README when asked."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.errors import DeployError
from deploy.run.servers import PROJECT
from deploy.workshop.bench.figures import Figure
from deploy.workshop.bench.rows import (
    codenames,
    collect,
    crowds,
    desk,
    desk_import,
    flat,
    message,
    nation,
    page,
    tor,
    upload,
)
from deploy.workshop.bench.stage import Stage, stage

BENCHES: Mapping[str, Callable[[Stage], Iterator[Figure]]] = {
    "page": page.run,
    "first": codenames.first,
    "visit": codenames.visit,
    "message": message.run,
    "flood": crowds.flood,
    "slow": crowds.slow,
    "upload": upload.run,
    "flat": flat.run,
    "collect": collect.run,
    "import": desk_import.run,
    "desk": desk.run,
    "tor": tor.run,
    "registry": nation.run,
}
_BEGIN, _END = "<!-- bench: begin -->", "<!-- bench: end -->"


class NoSuchBench(DeployError):
    """There is no bench of this name."""


def run_benches(names: list[str], *, as_json: bool, readme: bool, folder: Path | None) -> int:
    """Measure; 0 when every target that could be judged is reached."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise NoSuchBench(f"There is no bench {unknown[0]}. There are: {', '.join(BENCHES)}.")
    console = Console(stderr=True)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=folder or PROJECT) as scratch:
        console.print("Starting the servers on a fresh data folder.")
        with stage(Path(scratch)) as servers:
            for name in names or BENCHES:
                console.print(f"Measuring {name} …")
                for figure in BENCHES[name](servers):
                    console.print(f"  {figure.what}: {value_in_words(figure)}", highlight=False)
                    figures.append(figure)
    if as_json:
        print(json.dumps([asdict(figure) | {"reached": figure.reached} for figure in figures], indent=2))
    else:
        Console().print(_table(figures))
    if readme:
        _write_readme(figures)
    return 0 if all(figure.reached is not False for figure in figures) else 1


def value_in_words(figure: Figure) -> str:
    """`0.81 ×`, or why there is none."""
    if figure.value is None:
        return f"not said: what it stands beside varied by {figure.spread:.0%}"
    return f"{figure.value:.2f} {figure.unit}".rstrip()


def _target(figure: Figure) -> str:
    return f"{'≤' if figure.at_most else '≥'} {figure.target:g} {figure.unit}".rstrip()


def _verdict(figure: Figure) -> str:
    return {True: "reached", False: "not reached", None: "–"}[figure.reached]


def _table(figures: list[Figure]) -> Table:
    table = Table("bench", "what", "value", "spread", "target", "")
    for figure in figures:
        spread = f"{figure.spread:.0%}" if figure.spread else ""
        table.add_row(
            figure.name, figure.what, value_in_words(figure), spread, _target(figure), _verdict(figure)
        )
    return table


def _write_readme(figures: list[Figure]) -> None:
    file = PROJECT / "README.md"
    before, begin, rest = file.read_text("utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise DeployError("README.md lost the marks between which the table stands. Put them back.")
    rows = ["| bench | what | value | target | |", "|---|---|---|---|---|"]
    rows += [
        f"| `{figure.name}` | {figure.what} | {value_in_words(figure)} | {_target(figure)} | {_verdict(figure)} |"
        for figure in figures
    ]
    file.write_text("\n".join([before + begin, *rows, end + after]), "utf-8")
