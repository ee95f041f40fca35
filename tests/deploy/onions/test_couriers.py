"""Who is let in to the collection's onion: files in tor's folder, never an open door."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.transport.onion import public_line
from deploy.host.place import ONIONS, Place, StepFailed
from deploy.host.settings import lock_collection
from deploy.onions import couriers, gate
from deploy.onions.errors import CourierRefused, TorUnreachable
from deploy.onions.lock import key_nobody_holds
from deploy.run import servers

LINE = public_line(bytes(range(32)))
OTHER = public_line(bytes(32))
TOR = 65534  # a user that is not root


@pytest.fixture
def onions() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="co-") as made:
        Path(made).chmod(0o711)  # tor's user passes
        folder = Path(made) / "onions"
        (folder / "collection/authorized_clients").mkdir(mode=0o700, parents=True)
        yield folder


def clients(onions: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (onions / "collection/authorized_clients").iterdir()}


def test_a_courier_is_admitted_once_and_under_one_key(onions):
    for _ in range(2):
        couriers.admit(onions, "west-1", LINE)
        assert clients(onions)["west-1.auth"] == f"{LINE}\n"
        assert couriers.admitted(onions) == ["west-1"]
    with pytest.raises(CourierRefused, match="with another key"):
        couriers.admit(onions, "west-1", OTHER)
    assert clients(onions)["west-1.auth"] == f"{LINE}\n"


def test_the_last_one_dismissed_leaves_the_door_locked(onions):
    couriers.admit(onions, "west-1", LINE)
    couriers.dismiss(onions, "west-1")
    assert couriers.admitted(onions) == []
    assert set(clients(onions)) == {"nobody.auth"}
    with pytest.raises(CourierRefused, match="no courier west-1"):
        couriers.dismiss(onions, "west-1")
    assert key_nobody_holds() != key_nobody_holds()


def test_deploy_install_can_lock_the_door_before_any_package_is_there():
    line = f"import sys; sys.path.insert(0, {str(servers.PROJECT)!r}); import deploy.host.settings"
    subprocess.run([sys.executable, "-I", "-S", "-c", line], check=True, timeout=30)


@pytest.mark.parametrize("name", ["", "nobody", "../x", "West", ".x", "x/y", "a" * 65])
def test_a_name_that_is_no_short_name_is_refused(onions, name):
    for change in (lambda: couriers.admit(onions, name, LINE), lambda: couriers.dismiss(onions, name)):
        with pytest.raises(CourierRefused, match="west-1"):
            change()
    assert clients(onions) == {}


def test_a_line_that_is_no_key_is_refused(onions):
    with pytest.raises(CourierRefused, match="Copy all of it"):
        couriers.admit(onions, "west-1", LINE[:-1])
    assert clients(onions) == {}


def test_without_tor_nothing_is_changed(onions, tmp_path):
    with pytest.raises(TorUnreachable, match="No tor can be reached"):
        gate.admit_here("west-1", LINE, onions, tmp_path / "control")
    assert clients(onions) == {}


def test_on_another_machine_it_says_so(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(CourierRefused, match=r"host"):
            couriers.admitted(folder)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_root_acts_as_tors_user_who_can_lead_it_nowhere(onions):
    for path in (onions, onions / "collection", onions / "collection/authorized_clients"):
        os.chown(path, TOR, TOR)
    couriers.admit(onions, "west-1", LINE)
    for path in (onions / "collection/authorized_clients").iterdir():
        assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (TOR, TOR, 0o600)
    assert (os.geteuid(), os.getegid()) == (0, 0)

    roots = onions.parent / "roots"
    roots.mkdir(mode=0o700)
    (onions / "collection/authorized_clients").rename(onions / "collection/before")
    (onions / "collection/authorized_clients").symlink_to(roots)
    with pytest.raises(CourierRefused, match="Permission denied"):
        couriers.admit(onions, "west-1", LINE)
    assert not any(roots.iterdir())
    assert (os.geteuid(), os.getegid()) == (0, 0)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_deploy_install_locks_the_door_as_tors_user_who_can_lead_it_nowhere(onions, monkeypatch):
    root = onions.parent / "root"
    clients = root / f"{ONIONS.lstrip('/')}/collection/authorized_clients"
    clients.parent.mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text(f"_tor-candour:x:{TOR}:{TOR}::/:/x\n")
    (root / "etc/group").write_text(f"_tor-candour:x:{TOR}:\n")
    roots = root / "roots"
    roots.mkdir(mode=0o700)
    clients.symlink_to(roots)
    with pytest.raises(StepFailed, match="Permission denied"):
        lock_collection(Place(root))
    assert not any(roots.iterdir())
    clients.unlink()
    clients.mkdir(mode=0o700)
    os.chown(clients, TOR, TOR)
    monkeypatch.setattr(os, "chown", None)  # a path may lead elsewhere by the time that it is used
    lock_collection(Place(root))
    status = (clients / "nobody.auth").lstat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (TOR, TOR, 0o600)
    assert (os.geteuid(), os.getegid()) == (0, 0)
