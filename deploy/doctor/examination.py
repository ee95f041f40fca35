"""All checks in the order in which one would mend what they find, and how they are shown."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click

from deploy.doctor.data_folder import examine_data_folder
from deploy.doctor.finding import Finding, State
from deploy.doctor.host import examine_host
from deploy.doctor.machine import examine_machine
from deploy.host.place import Place

_COLOURS = {State.GOOD: "green", State.WARNING: "yellow", State.WRONG: "red"}


def run_doctor(findings: Iterable[Finding]) -> int:
    """Print every finding; the exit code: 1 if anything is wrong."""
    wrong = 0
    for finding in findings:
        click.echo(f"{click.style(f'{finding.state:<8}', fg=_COLOURS[finding.state])} {finding.text}")
        if finding.remedy:
            click.echo(f"{'':8} {finding.remedy}")
        wrong += finding.state is State.WRONG
    return 1 if wrong else 0


def examine(data: Path, ports: Mapping[str, int]) -> Iterator[Finding]:
    """Everything about this machine and a demo's data folder."""
    yield from examine_machine(Place(Path("/")))
    yield from examine_data_folder(data, ports)


def examine_all_of_host(place: Place) -> Iterator[Finding]:
    """Everything about a host and its machine."""
    yield from examine_machine(place)
    yield from examine_host(place)
