"""What stands beside: bare gpg, started as cheaply as may be, with the best flags there are.

So its command line is its own, and not the one that is measured against it (common/gpg/runner.py).
"""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from common.durable import sync_file
from common.gpg.runner import gpg_environment, private_home

_FLAGS = (
    *("--no-options", "--no-keyring", "--lock-never", "--no-random-seed-file", "--no-autostart", "--batch"),
    *("--quiet", "--trust-model", "always", "--compress-algo", "none", "-z", "0", "--cipher-algo", "AES256"),
)


class Gpg:
    """Seals files to one certificate, with fsync, in an empty home under `scratch`."""

    def __init__(self, scratch: Path, certificate: Path) -> None:
        self._home = private_home(scratch / "gpg")
        self._scratch = scratch
        self._certificate = certificate

    def seal(self, source: Path, name: str) -> float:
        """Seconds that one gpg takes from its start until its output is durable."""
        output = self._scratch / name
        started = perf_counter()
        subprocess.run(
            [
                *("gpg", "--homedir", str(self._home), *_FLAGS),
                *("--hidden-recipient-file", str(self._certificate), "--output", str(output)),
                *("--encrypt", str(source)),
            ],
            env=gpg_environment(),
            check=True,
            close_fds=False,
        )
        sync_file(output)
        took = perf_counter() - started
        output.unlink()
        return took

    def seal_many(self, source: Path, times: int, at_once: int) -> float:
        """Seconds that `times` gpgs take, `at_once` of them at a time."""
        started = perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda number: self.seal(source, f"many-{number}"), range(times)))
        return perf_counter() - started
