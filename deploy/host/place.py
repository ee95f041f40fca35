"""Where a host is installed: the running machine, or another root folder whose services are not started."""

import grp
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError

CODE = "/usr/lib/candour"
SETTINGS = "/etc/candour"
DATA = "/var/lib/candour"
ONIONS = "/var/lib/tor-instances/candour"


class StepFailed(DeployError):
    """A program that a step needs failed or is missing. The message says which and what it said."""


@dataclass(frozen=True)
class Place:
    """A root folder. `/` is the running machine."""

    root: Path

    @property
    def live(self) -> bool:
        return self.root == Path("/")

    def path(self, absolute: str) -> Path:
        """Where the host's `absolute` path lies here."""
        return self.root / absolute.lstrip("/")

    def tool(self, *words: str) -> None:
        """Run a tool of systemd on this root. Raises StepFailed."""
        run(words[0], *([] if self.live else [f"--root={self.root}"]), *words[1:])

    def user(self, name: str) -> int:
        """A user's number here. Raises StepFailed."""
        return pwd.getpwnam(name).pw_uid if self.live else self._number("passwd", name)

    def group(self, name: str) -> int:
        """A group's number here. Raises StepFailed."""
        return grp.getgrnam(name).gr_gid if self.live else self._number("group", name)

    def _number(self, table: str, name: str) -> int:
        for line in self.path(f"/etc/{table}").read_text("utf-8").splitlines():
            fields = line.split(":")
            if fields[0] == name:
                return int(fields[2])
        raise StepFailed(f"{name} is missing in {table}. Run the installation again.")


def run(*words: str) -> None:
    """Run a program as root does, and keep what it says to ourselves. Raises StepFailed."""
    if shutil.which(words[0]) is None:
        raise StepFailed(f"{words[0]} is missing. Install its Debian package and run this again.")
    ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip()
        raise StepFailed(f"`{' '.join(words)}` failed. Mend this, and run the installation again:\n{said}")
