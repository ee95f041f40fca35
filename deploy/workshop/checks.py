"""`candour test`: the checks that CI runs, one after the other, each announced.

Two workers share the tests, by whole files. What measures time, memory or pace runs by itself after them. Last come a
few of the claims that `tests/mutations/` breaks on purpose, others each day: their tests have to notice.
"""

import subprocess
import sys
import time
from pathlib import Path

from deploy.run.servers import PROJECT

_SHARED = ("pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-m")
_NOT_QUICK = ("browser", "tor", "quiet", "slow")  # the markers are explained in pyproject.toml

CHECKS = (
    ("Style and security rules (ruff check)", ["ruff", "check"]),
    ("Layout of the code (ruff format)", ["ruff", "format", "--check"]),
    ("Types (mypy)", ["mypy"]),
    ("Which room may import which (import-linter)", ["lint-imports"]),
    ("Tests (pytest)", [*_SHARED, "not quiet"]),
    ("Tests that measure (pytest)", ["pytest", "-m", "quiet"]),
    ("Tests that must fail (tests.mutations)", ["python", "-m", "tests.mutations", "--tenth"]),
)


def run_checks(pytest_arguments: list[str], *, quick: bool = False) -> int:
    """Run all checks, or only pytest with its arguments; the exit code: 0 when all is well.

    `quick`: only tests that take little time, by two workers.
    """
    if quick:
        return _run([*_SHARED, f"not ({' or '.join(_NOT_QUICK)})", *map(_from_here, pytest_arguments)])
    if pytest_arguments:
        return _run(["pytest", *map(_from_here, pytest_arguments)])
    failed = []
    for title, words in CHECKS:
        print(f"== {title}", flush=True)
        started = time.monotonic()
        if _run(words) != 0:
            failed.append(title)
            print(f"-- failed after {time.monotonic() - started:.0f} s: {title}", flush=True)
    return 1 if failed else 0


def _run(words: list[str]) -> int:
    tool = Path(sys.executable).with_name(words[0])
    try:
        return subprocess.run([tool, *words[1:]], cwd=PROJECT, check=False).returncode
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _from_here(argument: str) -> str:
    """A path, such as `tests/test_x.py::test_y`, stays the one that the person meant in their own folder."""
    path, colons, rest = argument.partition("::")
    return f"{Path(path).absolute()}{colons}{rest}" if path and Path(path).exists() else argument
