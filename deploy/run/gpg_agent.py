"""The gpg-agent of a GnuPG home: reachable wherever the home lies, and stopped when we stop.

A Unix socket's path may have 107 characters, and gpg-agent puts its sockets into the home. For a home
whose path is too long for that, files of the same names stand in its place and point to sockets in a short
private folder (libassuan, "socket redirection").
"""

import os
import re
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKETS = ("S.gpg-agent", "S.gpg-agent.extra", "S.gpg-agent.browser", "S.gpg-agent.ssh")
LONGEST_SOCKET = 107  # bytes: sun_path less its closing NUL, unix(7)
LONGEST_HOME = LONGEST_SOCKET - 1 - max(len(name) for name in SOCKETS)
STOP_SECONDS = 5
_REDIRECTION = "%Assuan%\nsocket="


def is_too_long(home: Path) -> bool:
    """Whether gpg-agent cannot put its sockets into `home`."""
    return len(os.fsencode(home)) > LONGEST_HOME


@contextmanager
def reachable(home: Path, short: Path) -> Iterator[None]:
    """While it lasts, a gpg-agent can run for `home`; after it, none does. `short`: a private folder."""
    _remove_redirections(home)
    if is_too_long(home):
        for name in SOCKETS:
            (home / name).write_text(f"{_REDIRECTION}{short / name}\n", encoding="utf-8")
    try:
        yield
    finally:
        stop(home)
        _remove_redirections(home)


def stop(home: Path) -> None:
    """End the home's gpg-agent, if one runs, and wait for its end. It forgets every passphrase."""
    found = re.search(r"^D (\d+)$", _ask(home, "GETINFO pid"), re.MULTILINE)
    if found is None:
        return
    try:
        process = os.pidfd_open(int(found[1]))
    except ProcessLookupError:
        return
    try:
        _ask(home, "KILLAGENT")
        select.select([process], [], [], STOP_SECONDS)
    finally:
        os.close(process)


def _ask(home: Path, command: str) -> str:
    """What a gpg-agent that runs already says to a command of its protocol; without one, nothing of use."""
    words = ["gpg-connect-agent", "--homedir", str(home), "--no-autostart", command, "/bye"]
    try:
        asked = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no GnuPG, so no agent
        return ""
    return asked.stdout


def _remove_redirections(home: Path) -> None:
    """Take away what a run that was killed has left; a real socket stays."""
    for name in SOCKETS:
        path = home / name
        if path.is_file() and path.read_text(encoding="utf-8", errors="replace").startswith(_REDIRECTION):
            path.unlink()
