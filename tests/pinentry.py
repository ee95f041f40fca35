"""A stand-in for the person at a desk: what gpg-agent asks is written down, and answered or cancelled."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.gpg.keyring import end_agent
from common.gpg.runner import gpg_environment


@contextmanager
def pinentry(home: Path, folder: Path, answer: str | None = None) -> Iterator[Callable[[], int]]:
    """While it lasts the agent of `home` asks this one. What it gives: how often something was asked for."""
    log, program, settings = folder / "asked", folder / "pinentry", home / "gpg-agent.conf"
    folder.mkdir(exist_ok=True)
    before = settings.read_bytes() if settings.exists() else None
    reply = "ERR 83886179 cancelled" if answer is None else f"D {answer}\\nOK"
    program.write_text(
        "#!/bin/sh\necho OK\n"
        f"while read -r line; do case $line in GETPIN*) echo \"$line\" >> '{log}'; printf '{reply}\\n';; *) echo OK;; "
        "esac; done\n"
    )
    program.chmod(0o700)
    settings.write_text(f"pinentry-program {program}\n")
    end_agent(home)
    try:
        yield lambda: len(log.read_text().splitlines()) if log.exists() else 0
    finally:
        settings.unlink() if before is None else settings.write_bytes(before)
        end_agent(home)


def forget_passphrases(home: Path) -> None:
    """What was typed before is asked for again."""
    command = ["gpgconf", "--homedir", str(home), "--reload", "gpg-agent"]
    subprocess.run(command, check=True, env=gpg_environment())
