"""The servers under measurement: `candour up` in a process of its own, on a fresh data folder."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.config import read_server_config
from common.days import today
from deploy import data_folder
from deploy.run.servers import PROJECT
from deploy.workshop.bench.browser import Surprise
from source_interface.intake.certificates import certificate_of_the_day

_PRINTED = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d+(?:/enter/\S+)?")
_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Stage:
    """Servers that run. `pid` is the process of `candour up`; `scratch` a folder on the same disk as the data."""

    data: Path
    scratch: Path
    pid: int
    source: str
    desk_link: str

    @property
    def collection(self) -> str:
        """The collection's address."""
        found: str = tomllib.loads(data_folder.courier_settings(self.data).read_text("utf-8"))["collection"]
        return found

    @property
    def certificate(self) -> Path:
        """The demo unit's certificate, as a file with the month's epoch alone: no certificate is cheaper to seal to."""
        registry = read_server_config(data_folder.server_settings(self.data)).load_registry()
        file = self.scratch / "certificate.gpg"
        file.write_bytes(certificate_of_the_day(registry.enrolled_units()[0], today()))
        return file

    def processes(self) -> list[int]:
        """All processes of the servers: what `candour up` started, and theirs."""
        return _descendants(self.pid)

    def cpu_seconds(self) -> float:
        """Processor time of the servers so far, with that of the gpg processes they have waited for."""
        return sum(_cpu_seconds(pid) for pid in self.processes())

    def memory_bytes(self, without: str = "") -> int:
        """Proportional set size of the servers and of what they run now, `without` programs of this name."""
        return sum(_pss(pid) for pid in self.processes() if not without or _program(pid) != without)


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Start the servers in `folder`; stop them as Ctrl-C does."""
    data, scratch = folder / "var", folder / "scratch"
    scratch.mkdir(parents=True)
    ports = ["--source-port", "0", "--collection-port", "0", "--desk-port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "deploy", "up", "--data", str(data), *ports],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Stage(data, scratch, process.pid, *_addresses(process))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@contextmanager
def fresh_stage(servers: Stage, name: str) -> Iterator[Stage]:
    """Further servers, with nothing in them yet, beside those that run. They leave nothing behind."""
    with (
        tempfile.TemporaryDirectory(prefix=f"{name}-", dir=servers.scratch) as folder,
        stage(Path(folder)) as made,
    ):
        yield made


def _addresses(process: subprocess.Popen[str]) -> tuple[str, str]:
    found: list[str] = []
    for line in process.stdout or ():
        found += _PRINTED.findall(line)
        if "Ctrl-C" in line:
            break
    if len(found) != 2:
        raise Surprise("candour up did not start")
    return found[0], found[1]


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = entry.read_text("ascii", errors="replace")
        except OSError:  # ended meanwhile
            continue
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry.parent.name))
    found, waiting = [], [root]
    while waiting:
        next_ones = children.get(waiting.pop(), [])
        found += next_ones
        waiting += next_ones
    return found


def _cpu_seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in stat.rpartition(")")[2].split()[11:15]) * _TICK


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
