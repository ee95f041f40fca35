"""A demo's data folder: whole, closed to others, its ports free or its own."""

import stat
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from deploy import data_folder
from deploy.doctor.finding import Finding, State, carefully
from deploy.doctor.server import check_server
from deploy.run import servers


def examine_data_folder(data: Path, ports: Mapping[str, int]) -> Iterator[Finding]:
    """All findings on a data folder and on the ports that its servers want."""
    if data_folder.is_made(data):
        yield Finding(State.GOOD, f"The data folder {data} is whole")
        yield from carefully("Permissions", lambda: check_permissions(data))
        settings = data_folder.server_settings(data)
        yield from carefully(
            "The server's settings", lambda: check_server(settings, settings.with_name("candour.sqlite"))
        )
    elif data.exists():
        remedy = "Choose another folder with --data, or move this one away and run `./candour up`."
        yield Finding(State.WRONG, f"{data} is not a whole data folder of Candour", remedy)
    else:
        yield Finding(State.WARNING, f"There is no data folder {data} yet", "`./candour up` makes it.")
    if _is_running(data):
        yield Finding(State.GOOD, f"Candour is running on {data}, on the ports that it printed at its start")
        return
    for option, port in ports.items():
        yield from carefully(f"Port {port}", partial(check_port, option, port))


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


def check_port(option: str, port: int) -> Iterator[Finding]:
    try:
        servers.listen("check", port, option).close()
    except servers.PortTaken:
        text = f"Port {port} is in use by another program, or by a Candour on another data folder"
        yield Finding(State.WRONG, text, f"Choose another with {option}.")
    else:
        yield Finding(State.GOOD, f"Port {port} is free")


def _is_running(data: Path) -> bool:
    """Whether `candour up` or `candour desk` holds this data folder now."""
    return data_folder.is_made(data) and any(data_folder.is_held(data / part) for part in ("server", "desk"))
