"""What any machine needs that runs Candour: Python, GnuPG, packages, no core dumps, no plain swap, a kept clock."""

import ctypes
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator

from deploy import bootstrap
from deploy.doctor.finding import Finding, State, carefully
from deploy.host.fitness import plain_swap
from deploy.host.place import Place
from deploy.run import servers
from deploy.server import hardening

OLDEST_GPG = (2, 2)
_TIMEX_BYTES = 256  # struct timex is 208 bytes on 64-bit Linux; `modes` = 0 asks only
_NOT_KEPT = 5  # TIME_ERROR: adjtimex(2)


def examine_machine(place: Place) -> Iterator[Finding]:
    """All findings on the machine; `place` says where its /proc and /sys are looked at."""
    yield from carefully("Python", check_python)
    yield from carefully("GnuPG", check_gpg)
    yield from carefully("The virtual environment", check_venv)
    yield from carefully("Core dumps", check_core_dumps)
    yield from carefully("Swap", lambda: check_swap(place))
    yield from carefully("The clock", lambda: check_clock(clock_state()))


def check_python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < bootstrap.OLDEST:
        yield Finding(
            State.WRONG, f"Python {version} is too old", "Install Python 3.11 or newer (Debian 12 has it)."
        )
    else:
        yield Finding(State.GOOD, f"Python {version}")


def check_gpg() -> Iterator[Finding]:
    remedy = "Run: sudo apt-get install gpg gpg-agent"
    missing = [program for program in bootstrap.PROGRAMS if shutil.which(program) is None]
    if missing:
        yield Finding(State.WRONG, f"Missing: {', '.join(missing)}", remedy)
        return
    shown = subprocess.run(["gpg", "--version"], capture_output=True, text=True, check=True).stdout
    version = shown.split("\n", 1)[0].rsplit(" ", 1)[-1]
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_GPG:
        yield Finding(State.WRONG, f"GnuPG {version} is too old", remedy)
    else:
        yield Finding(State.GOOD, f"GnuPG {version}")


def check_venv() -> Iterator[Finding]:
    if bootstrap.venv_is_whole(testing=False):
        yield Finding(State.GOOD, "The virtual environment is what requirements.txt says")
    else:
        remedy = "Run any ./candour command; it builds the environment anew."
        yield Finding(State.WRONG, "The virtual environment is not what requirements.txt says", remedy)


def check_core_dumps() -> Iterator[Finding]:
    """Try, in a process of its own, what every server does at its start."""
    lines = f"from {hardening.__name__} import harden; harden()"
    command = [sys.executable, "-P", "-c", lines]
    tried = subprocess.run(command, env=servers.base_environment(), capture_output=True, check=False)
    if tried.returncode != 0:
        yield Finding(
            State.WRONG,
            "Servers cannot forbid core dumps here",
            "Run on a plain Linux kernel (see prctl(2)).",
        )
        return
    yield Finding(State.GOOD, "Servers forbid core dumps for themselves")
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    if soft != 0:
        yield Finding(
            State.WARNING,
            "Core dumps are on for other programs, such as gpg started by hand",
            "Run: ulimit -c 0",
        )


def check_swap(place: Place) -> Iterator[Finding]:
    table = place.path("/proc/swaps").read_text("ascii", "replace")
    areas = table.splitlines()[1:]
    plain = list(plain_swap(table, place.path("/sys/block")))
    if plain:
        remedy = (
            "Turn it off with `sudo swapoff -a` and take it out of /etc/fstab, or encrypt it: a report in memory could "
            "be written there."
        )
        yield Finding(State.WARNING, f"Swap is on and not encrypted: {', '.join(plain)}", remedy)
    elif areas:
        yield Finding(State.GOOD, "Swap is on, and encrypted or in memory")
    else:
        yield Finding(State.GOOD, "Swap is off")


def clock_state() -> int:
    """What the kernel says of its clock: adjtimex(2)."""
    return int(ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))


def check_clock(state: int) -> Iterator[Finding]:
    if state == _NOT_KEPT:
        remedy = "Run `timedatectl set-ntp true`: tor and couriers need it right to the minute."
        yield Finding(State.WARNING, "Nothing keeps the clock right", remedy)
    else:
        yield Finding(State.GOOD, "The clock is kept right")
