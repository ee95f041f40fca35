"""The host's torrc, moved elsewhere: the same services in another folder, for a test network or a bench.

Promises: every line that says how a service behaves is the host's own, read from the very file that
deploy/install puts in place. Only paths change, and what each tor has of its own is left out.
"""

from pathlib import Path

from deploy.run.servers import PROJECT

TORRC = PROJECT / "deploy/host/tree/etc/tor/instances/candour/torrc"
SOURCE, COLLECTION = "source", "collection"  # the last parts of each HiddenServiceDir

# What a tor has of its own, and no service depends on.
_OWN = frozenset(
    {
        "controlsocket",
        "cookieauthentication",
        "cookieauthfile",
        "cookieauthfilegroupreadable",
        "datadirectory",
        "log",
        "pidfile",
        "syslogidentitytag",
        "user",
    }
)
_UNIX = "unix:"


def moved_lines(folder: Path, torrc: Path = TORRC) -> list[str]:
    """The lines of `torrc` that make its services, with onions and sockets in `folder`; its path has no spaces.

    The keys of the service that was in `…/source` are in `folder/source`; what listened on
    `unix:/run/candour-source/http.sock` listens on `folder/candour-source/http.sock`.
    """
    lines = (line.strip() for line in torrc.read_text("utf-8").splitlines())
    options = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return [f"{name} {_moved(name, value, folder)}" for name, value in options if name.lower() not in _OWN]


def make_folders(folder: Path) -> None:
    """The folders that `moved_lines(folder)` speaks of, as private as tor wants them."""
    for line in moved_lines(folder):
        name, value = line.split(maxsplit=1)
        if name == "HiddenServiceDir":
            Path(value).mkdir(mode=0o700, exist_ok=True)
        elif name == "HiddenServicePort":
            Path(value.partition(_UNIX)[2]).parent.mkdir(mode=0o700, exist_ok=True)


def _moved(name: str, value: str, folder: Path) -> str:
    if name == "HiddenServiceDir":
        return str(folder / Path(value).name)
    if name == "HiddenServicePort":
        port, _, target = value.partition(_UNIX)
        path = Path(target)
        return f"{port}{_UNIX}{folder / path.parent.name / path.name}"
    return value
