"""The files of a host in a root folder of the test's own, with Debian's units beside them."""

import os
import shutil
from pathlib import Path

import pytest

from deploy.host import steps

DEBIANS_UNITS = Path("/usr/lib/systemd/system")


@pytest.fixture(scope="session")
def as_root():
    """For what only root can do. CI is root."""
    if os.geteuid() != 0:
        pytest.skip("only root can do this")


@pytest.fixture(scope="session")
def offline(tmp_path_factory) -> Path:
    """A root folder to verify units in."""
    root = tmp_path_factory.mktemp("offline")
    shutil.copytree(steps.TREE, root, dirs_exist_ok=True)
    shutil.copytree(DEBIANS_UNITS, root / "usr/lib/systemd/system", symlinks=True)
    (root / "lib").symlink_to("usr/lib")
    return root
