"""The files of a host in a root folder of the test's own, with Debian's units beside them."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import bootstrap
from deploy.host import steps

PROJECT = Path(bootstrap.PROJECT)
INSTALL = PROJECT / "deploy/install"

DEBIANS_UNITS = Path("/usr/lib/systemd/system")


class Root:
    """A root folder with what a bare Debian has that matters here. `registry`: a folder with the files to install."""

    def __init__(self, folder: Path, registry: Path) -> None:
        self.folder, self.registry = folder, registry
        for name in ("etc", "var/lib", "run", "usr/lib/systemd/system"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for link in ("lib", "sbin", "bin"):
            (folder / link).symlink_to(f"usr/{link}")
        (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (folder / "etc/group").write_text("root:x:0:\n")
        for unit in ("tor@.service", "tor@default.service"):
            (folder / "usr/lib/systemd/system" / unit).touch()
        self.lend_environment()

    def lend_environment(self) -> None:
        """Our own packages in the place of those that the installer would fetch, and its stamp."""
        venv = self.folder / "usr/lib/candour/.venv"
        (venv / "bin").mkdir(parents=True)
        (venv / "bin/python").symlink_to("/usr/bin/python3")
        (venv / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
        packages = venv / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        packages.mkdir(parents=True)
        ours = next(PROJECT.glob(".venv/lib/python3*/site-packages"))
        (packages / "lent.pth").write_text(f"{ours}\n")
        with pytest.MonkeyPatch.context() as patch:
            real = bootstrap.wanted_stamp
            place = str(self.folder / "usr/lib/candour/.venv/bin/python")
            patch.setattr(bootstrap, "venv_python", lambda: place)
            (venv / "made-from").write_text(real(testing=False))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(INSTALL), "--root", str(self.folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def install(self, **other: Path) -> subprocess.CompletedProcess[str]:
        named = {
            "registry": self.registry / "registry.json",
            "registry-root": self.registry / "root.pub",
        } | other
        return self.run(*(word for name, file in named.items() for word in (f"--{name}", str(file))))

    def state(self) -> dict[str, tuple[int, int, int, bytes]]:
        """All there is but code: path -> mode, user, group, content."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if not name.startswith("usr/lib/candour"):
                status = path.lstat()
                content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                found[name] = (status.st_mode, status.st_uid, status.st_gid, content)
        return found

    def number(self, table: str, name: str) -> int:
        lines = (self.folder / "etc" / table).read_text().splitlines()
        return next(int(line.split(":")[2]) for line in lines if line.startswith(f"{name}:"))

    def owner(self, path: str) -> tuple[int, int, str]:
        status = (self.folder / path).stat()
        return status.st_uid, status.st_gid, oct(stat.S_IMODE(status.st_mode))


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


@pytest.fixture(scope="session")
def given(registry_bytes, root_key, tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    (folder / "registry.json").write_bytes(registry_bytes)
    (folder / "root.pub").write_text(root_key.public.hex())
    return folder


@pytest.fixture(scope="session")
def new_root(given):
    """Makes root folders to install into."""
    return lambda folder: Root(folder, given)
