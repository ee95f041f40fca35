"""The code on a host: a copy of this project that only root may write, and its environment.

Promises: what services run is root's and nobody else's to change, and was built from requirements pinned by hash. Only
the rooms of an allow-list are copied: a host has no desk, no ceremonies and no workshop, so nothing on it can be told
to open a report or to make a key.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import bootstrap
from deploy.host.place import CODE, Place, run

PROJECT = Path(bootstrap.PROJECT)
# What a host has of this project. Whatever is named in no line here is not copied.
ROOMS = (
    "candour",
    "LICENSE",
    "requirements.txt",
    "common",
    "source_interface",
    "journalist_interface/__init__.py",
    "journalist_interface/collection",
    "deploy/__init__.py",
    "deploy/__main__.py",
    "deploy/bootstrap.py",
    "deploy/build-tools.txt",
    "deploy/cli.py",
    "deploy/data_folder.py",
    "deploy/errors.py",
    "deploy/install",
    "deploy/operations.py",
    "deploy/options.py",
    "deploy/OPERATOR.md",
    "deploy/backup",
    "deploy/doctor",
    "deploy/host",
    "deploy/onions",
    "deploy/run",
    "deploy/server",
    "deploy/site",
)
_VENV = ".venv"
COMMAND = "/usr/local/bin/candour"
FETCHING = ("inet", "candour", "fetching")  # a set of firewall.nft


def copy_code(place: Place) -> None:
    """Put a fresh copy in place of what is there, and keep its environment."""
    target = place.path(CODE)
    if target == PROJECT:  # the installed copy installs itself anew
        return
    fresh, old = target.with_name("candour.new"), target.with_name("candour.old")
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    for room in ROOMS:
        _copy(PROJECT / room, fresh / room)
    for folder, _, files in os.walk(fresh):
        _as_root_has_it(Path(folder), 0o755)
        for name in files:
            file = Path(folder, name)
            _as_root_has_it(file, 0o755 if file.stat().st_mode & 0o100 else 0o644)
    if target.exists():
        if (target / _VENV).is_dir():
            (target / _VENV).rename(fresh / _VENV)
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    command = place.path(COMMAND)
    command.parent.mkdir(parents=True, exist_ok=True)
    command.unlink(missing_ok=True)
    command.symlink_to(f"{CODE}/candour")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    else:
        shutil.copy2(source, target)


def _as_root_has_it(path: Path, mode: int) -> None:
    os.chown(path, 0, 0, follow_symlinks=False)
    path.chmod(mode)


def make_environment(place: Place) -> None:
    """Build the environment as the launcher does, and compile the code: nobody may do so later."""
    bootstrap.PROJECT = str(place.path(CODE))
    with _let_out(place):
        bootstrap.make_venv(testing=False)
    stripped = [] if place.live else ["-s", str(place.root), "-p", "/"]
    run(
        bootstrap.venv_python(),
        "-P",
        "-m",
        "compileall",
        "-q",
        *stripped,
        "-x",
        r"/\.venv/",
        bootstrap.PROJECT,
    )


@contextmanager
def _let_out(place: Place) -> Iterator[None]:
    """While it lasts, root may fetch packages past a firewall that stands from an earlier installation."""
    stands = place.live and not bootstrap.venv_is_whole(testing=False) and _walled()
    if stands:
        run("nft", "add", "element", *FETCHING, "{ 0 }")
    try:
        yield
    finally:
        if stands:
            run("nft", "flush", "set", *FETCHING)


def _walled() -> bool:
    asked = subprocess.run(["nft", "list", "set", *FETCHING], capture_output=True, check=False)
    return asked.returncode == 0


def remove_code(place: Place) -> None:
    """Remove the copy with its environment, and the command."""
    place.path(COMMAND).unlink(missing_ok=True)
    shutil.rmtree(place.path(CODE), ignore_errors=True)
