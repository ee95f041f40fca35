"""`candour doctor`: a line for each thing that a set-up needs, good or with how to mend it.

Promises: it changes nothing and stops at nothing; a check that cannot be made is a line too.
"""

import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path

import click
from sqlalchemy.engine import make_url

from common.config import BadConfiguration, ServerConfig, read_server_config
from common.days import today
from common.store.blobs import set_aside_under
from common.store.opening import is_current, open_engine
from common.store.repository import KEEP_SET_ASIDE
from common.units import RegistryRefused
from deploy import bootstrap, demo, hardening, servers
from deploy.finding import Finding, State, carefully

OLDEST_GPG = (2, 2)
REGISTRY_NEAR_END = timedelta(days=30)


def run_doctor(data: Path, ports: Mapping[str, int]) -> int:
    """Print every finding; the exit code: 1 if anything is wrong."""
    wrong = 0
    for finding in examine(data, ports):
        colour = {State.GOOD: "green", State.WARNING: "yellow", State.WRONG: "red"}[finding.state]
        click.echo(f"{click.style(f'{finding.state:<8}', fg=colour)} {finding.text}")
        if finding.remedy:
            click.echo(f"{'':8} {finding.remedy}")
        wrong += finding.state is State.WRONG
    return 1 if wrong else 0


def examine(data: Path, ports: Mapping[str, int]) -> Iterator[Finding]:
    """All findings, in the order in which one would mend them."""
    yield from carefully("Python", check_python)
    yield from carefully("GnuPG", check_gpg)
    yield from carefully("The virtual environment", check_venv)
    yield from carefully("Core dumps", check_core_dumps)
    yield from carefully("Swap", check_swap)
    if demo.is_made(data):
        yield Finding(State.GOOD, f"The data folder {data} is whole")
        yield from carefully("Permissions", lambda: check_permissions(data))
        yield from carefully("The server's settings", lambda: check_server(data))
        yield from carefully("Disk space", lambda: check_disk(data))
    elif data.exists():
        remedy = "Choose another folder with --data, or move this one away and run `./candour up`."
        yield Finding(State.WRONG, f"{data} is not a whole data folder of Candour", remedy)
    else:
        yield Finding(State.WARNING, f"There is no data folder {data} yet", "`./candour up` makes it.")
    for option, port in ports.items():
        yield from carefully(f"Port {port}", partial(check_port, data, option, port))


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


def check_swap() -> Iterator[Finding]:
    areas = Path("/proc/swaps").read_text(encoding="ascii", errors="replace").splitlines()[1:]
    if areas:
        remedy = (
            "Turn it off with `sudo swapoff -a`, or encrypt it: a report in memory could be written there."
        )
        yield Finding(State.WARNING, f"Swap is on ({len(areas)} area{'s' if len(areas) > 1 else ''})", remedy)
    else:
        yield Finding(State.GOOD, "Swap is off")


def check_permissions(data: Path) -> Iterator[Finding]:
    """Nothing under the data folder may be open to anybody but its owner."""
    opened = [path for path in (data, *data.rglob("*")) if _is_open(path)]
    if opened:
        shown = ", ".join(str(path) for path in opened[:3]) + (" and more" if len(opened) > 3 else "")
        yield Finding(State.WRONG, f"Open to other users: {shown}", f"Run: chmod -R go= {data}")
    else:
        yield Finding(State.GOOD, "Only you can read the data folder")


def _is_open(path: Path) -> bool:
    mode = path.lstat().st_mode
    return not stat.S_ISLNK(mode) and bool(mode & 0o077)


def check_server(data: Path) -> Iterator[Finding]:
    try:
        config = read_server_config(demo.server_settings(data))
    except BadConfiguration as error:
        yield Finding(State.WRONG, "The server's settings cannot be used", str(error))
        return
    yield Finding(State.GOOD, "The server's settings can be read")
    yield from check_registry(config)
    yield from carefully("The database", lambda: check_database(config))
    yield from carefully("The sealed messages", lambda: check_set_aside(config))


def check_registry(config: ServerConfig) -> Iterator[Finding]:
    remedy = "Have a new one signed (`./candour keys registry sign --help`) and put it in place."
    try:
        registry = config.load_registry()
    except RegistryRefused as error:
        yield Finding(State.WRONG, str(error).rstrip("."), remedy)
        return
    if registry.expires - today() <= REGISTRY_NEAR_END:
        yield Finding(State.WARNING, f"The registry ends on {registry.expires}", remedy)
    else:
        yield Finding(State.GOOD, f"The registry's signature holds, until {registry.expires}")


def check_database(config: ServerConfig) -> Iterator[Finding]:
    url = make_url(config.database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        yield Finding(State.GOOD, "There is no database yet; the first start makes it")
        return
    engine = open_engine(config.database)
    try:
        if is_current(engine):
            yield Finding(State.GOOD, "The database opens, and has the newest shape")
        else:
            remedy = "Start the servers with `./candour up`; they bring it to the newest shape."
            yield Finding(State.WRONG, "The database has an old shape", remedy)
    finally:
        engine.dispose()


def check_set_aside(config: ServerConfig) -> Iterator[Finding]:
    """Blobs that the database did not know when the servers started."""
    if count := len(set_aside_under(config.blobs)):
        remedy = (
            f"A crash leaves a few. If the database is an old or another one, put the right one in place within "
            f"{KEEP_SET_ASIDE.days} days and start again: what it knows is taken back."
        )
        yield Finding(
            State.WARNING, f"{count} sealed messages are set aside: the database does not know them", remedy
        )


def check_disk(data: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(data).free
    wanted = read_server_config(demo.server_settings(data)).limits.keep_free_bytes
    text = f"{free / 1024**3:.1f} GiB of disk are free"
    if free < wanted:
        remedy = f"Free some: reports are refused below {wanted / 1024**3:.1f} GiB (keep_free_bytes)."
        yield Finding(State.WRONG, text, remedy)
    else:
        yield Finding(State.GOOD, text)


def check_port(data: Path, option: str, port: int) -> Iterator[Finding]:
    try:
        servers.listen("check", port, option).close()
    except servers.PortTaken:
        if _is_running(data):
            yield Finding(State.GOOD, f"Port {port} is in use while Candour runs on this data folder")
        else:
            yield Finding(
                State.WRONG, f"Port {port} is in use by another program", f"Choose another with {option}."
            )
    else:
        yield Finding(State.GOOD, f"Port {port} is free")


def _is_running(data: Path) -> bool:
    """Whether `candour up` or `candour desk` holds this data folder now."""
    if not demo.is_made(data):
        return False
    try:
        with demo.held(data / "desk"):
            return False
    except demo.DataFolderRefused:
        return True
