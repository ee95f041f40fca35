"""Runs mutations: patches a temporary copy of the project, and runs the tests that have to fail there.

The work tree is only read. A copy has what git tracks and what is new, as it is now, and shares the .venv.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutations.table import Mutation

AT_ONCE = 2
LONGEST = (
    120.0  # seconds for the tests of one mutation; on a machine with nothing else to do it is under five
)
_VENV = ".venv"


class Outcome(StrEnum):
    """What became of a mutation."""

    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    STALE = "NO LONGER APPLIES"
    NOT_RUN = "DID NOT RUN"
    SKIPPED = "cannot be tried here"
    LEFT = "left for another day"


@dataclass(frozen=True)
class Result:
    """What became of a mutation, and why: what the tests said, in one line."""

    mutation: Mutation
    outcome: Outcome
    why: str

    @property
    def is_well(self) -> bool:
        """The claim's tests can fail, as far as was tried."""
        return self.outcome in (Outcome.CAUGHT, Outcome.SKIPPED, Outcome.LEFT)


def run_all(project: Path, mutations: Sequence[Mutation], seconds: float | None = None) -> Iterator[Result]:
    """Run these, two at a time; each result as soon as it is there.

    :param seconds: all of it ends by then; what is not done then is left for another day.
    """
    end = None if seconds is None else time.monotonic() + seconds
    with (
        tempfile.TemporaryDirectory(prefix="cm-", ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        futures = [
            pool.submit(_run, project, Path(folder) / str(number), mutation, end)
            for number, mutation in enumerate(mutations)
        ]
        for future in as_completed(futures):
            yield future.result()


def _run(project: Path, folder: Path, mutation: Mutation, end: float | None) -> Result:
    longest = LONGEST if end is None else min(LONGEST, end - time.monotonic())
    if longest <= 0:
        return Result(mutation, Outcome.LEFT, "")
    patched = mutation.patched(project)
    if patched is None:
        return Result(
            mutation, Outcome.STALE, f"The old text does not stand in {mutation.file} exactly once."
        )
    tree = folder / "tree"
    copy_project(project, tree)
    (tree / mutation.file).write_text(patched, "utf-8")
    try:
        return _judge(mutation, *_run_tests(tree, folder, mutation.tests, longest))
    except subprocess.TimeoutExpired:
        if longest < LONGEST:
            return Result(mutation, Outcome.LEFT, "")
        return Result(mutation, Outcome.NOT_RUN, f"The tests took longer than {LONGEST:.0f} s.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_project(project: Path, into: Path) -> None:
    """A copy of what git tracks and of what is new, as it lies there now, and a link to the .venv."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=project,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        file = into / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # deleted, and not yet committed
            if name != _VENV:
                shutil.copy2(project / name, file, follow_symlinks=False)
    if (project / _VENV).exists():
        (into / _VENV).symlink_to((project / _VENV).resolve())


def _run_tests(tree: Path, folder: Path, tests: Sequence[str], longest: float) -> tuple[int, str]:
    """pytest's exit code and what it printed. Raises TimeoutExpired, and then nothing of it runs any more.

    `folder`: where temporary files go, by a short path, because gpg-agent's socket is among them.
    """
    options = ["--color=no", "--tb=no", "-rfE", "-pno:cacheprovider", f"--basetemp={folder / 'b'}"]
    temporary = folder / "t"
    temporary.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=tree,
        env=os.environ | {"TMPDIR": str(temporary), "COLUMNS": "400"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        errors="replace",
    ) as process:
        try:
            printed, _ = process.communicate(timeout=longest)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, printed


def _judge(mutation: Mutation, code: int, printed: str) -> Result:
    lines = printed.splitlines()
    last = lines[-1] if lines else f"pytest ended with {code}."
    errors = [line for line in lines if line.startswith("ERROR")]
    if code not in (0, 1) or errors:
        return Result(mutation, Outcome.NOT_RUN, errors[0] if errors else last)
    failed = [line.removeprefix("FAILED ") for line in lines if line.startswith("FAILED ")]
    for test in mutation.tests:
        if not any(line == test or line.startswith((f"{test} ", f"{test}[")) for line in failed):
            outcome = Outcome.SKIPPED if " skipped" in last else Outcome.SURVIVED
            return Result(mutation, outcome, f"{test} does not fail ({last})")
    return Result(mutation, Outcome.CAUGHT, failed[0])
