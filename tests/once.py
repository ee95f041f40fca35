"""What is made once for all tests of a run: keys, a country, a demo. Who needs one gets a copy, which takes no gpg.

The workers of a run share it. The first that asks makes it by the real code; the others wait and copy.
"""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from common.durable import locked
from common.gpg.keyring import end_agent
from keys.unit.unit_keys import GNUPG_HOME

Made = TypeVar("Made")

WORKER = "PYTEST_XDIST_WORKER"  # in the environment of one of several
NOT_COPIED = shutil.ignore_patterns("S.*", "*.lock", ".#*")  # an agent's sockets, and who held a lock


class Once:
    """Templates in a folder of short path, because gpg-agent's sockets are in them while they are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)

    def copy(self, name: str, make: Callable[[Path], Made], into: Path) -> Made:
        """Fill `into` as `make` fills an empty folder; what `make` gave back, which says nothing of the folder."""
        template, told = self.folder / name, self.folder / f"{name}.told"
        with locked(self.folder / f"{name}.held"):
            if not told.exists():
                shutil.rmtree(template, ignore_errors=True)  # of one that failed
                template.mkdir(mode=0o700)
                made = make(template)
                for home in template.rglob(GNUPG_HOME):
                    end_agent(home)
                part = self.folder / f"{name}.part"
                part.write_bytes(pickle.dumps(made))
                part.rename(told)
        shutil.copytree(template, into, symlinks=True, ignore=NOT_COPIED, dirs_exist_ok=True)
        result: Made = pickle.loads(told.read_bytes())  # noqa: S301  our own, in our own folder
        return result


def shared_folder(base: Path) -> Path:
    """The folder that all workers of a run have in common, given the base of temporary folders of one."""
    return base.parent if WORKER in os.environ else base
