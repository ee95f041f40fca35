"""What tests of the ceremonies share: a unit whose keys have a passphrase, and a way to ask gpg."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.gpg.runner import gpg_environment
from keys.unit.unit_keys import NewUnit, new_unit


@dataclass(frozen=True)
class Protected:
    """A unit's folder, what new_unit gave back, and the passphrase."""

    folder: Path
    made: NewUnit
    passphrase: str


@pytest.fixture(scope="session")
def protected(short_folder: Callable[[], Path]) -> Protected:
    folder = short_folder()
    passphrase = "correct horse, Pferd & Söhne %no-protection"
    made = new_unit(folder, "safe-unit", "Ünit, Safe (A.C.)", passphrase=passphrase, months=1)
    end_agent(folder / "gnupg")
    return Protected(folder, made, passphrase)


def end_agent(home: Path) -> None:
    command = ["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"]
    subprocess.run(command, env=gpg_environment(), check=True)


@pytest.fixture
def gpg() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs gpg in a home; `passphrase` goes down a pipe."""

    def run(home: Path, *arguments: str | Path, passphrase: str | None = None):
        options: list[str] = ["gpg", "--homedir", str(home), "--batch"]
        if passphrase is not None:
            end_agent(home)
            options += ["--pinentry-mode", "loopback", "--passphrase-fd", "0"]
        stdin = None if passphrase is None else passphrase.encode()
        command = [*options, *map(str, arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, check=False, env=gpg_environment())

    return run
