"""The demo's data folder, made by the real code of keys/."""

import shutil
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from common.config import load_registry, read_server_config
from common.conversation.derivation import PEPPER_BYTES
from common.days import today
from deploy import data_folder
from deploy.run import gpg_agent
from deploy.workshop.demo import country, new_demo

pytestmark = pytest.mark.slow

ADDRESS = "http://127.0.0.1:8081"


@pytest.fixture
def short(tmp_path: Path) -> Path:
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def data(tmp_path: Path, copy_demo) -> Path:
    copy_demo(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, short_folder) -> Path:
    """As `up` makes one. For tests that only look."""
    folder = tmp_path_factory.mktemp("made") / "data"
    new_demo.make(folder, ADDRESS, short_folder())
    return folder


def test_the_registry_names_the_demo_unit_and_is_signed(made):
    config = read_server_config(data_folder.server_settings(made))
    registry = config.load_registry()
    unit = registry.unit(data_folder.UNIT_ID)
    assert [force.id for force in registry.served_by(unit, today())] == [data_folder.FORCE_ID]
    shared = registry.unit(data_folder.SHARED_ID)
    assert registry.enrolled_units() == (unit, shared)
    assert [force.id for force in registry.served_by(shared, today())] == ["demo-north", "demo-south"]
    assert registry.desk == registry.recipient(data_folder.CHARITY_ID)
    assert registry.expires == today() + timedelta(days=country.REGISTRY_DAYS)
    assert all(len(one.couriers) == 1 for one in registry.units)
    for unit_id in data_folder.unit_ids(made):
        held = data_folder.desk_settings(made, unit_id).with_name("registry.json")
        assert load_registry(held, config.registry_root) == registry


def test_the_secrets_are_their_owners_alone(made):
    opened = [path for path in (made, *made.rglob("*")) if path.stat().st_mode & 0o077]
    assert not opened
    for secret in ("server/pepper", "courier/courier.key", "root/registry-root.key", "desk/reply.key.gpg"):
        assert stat.S_IMODE((made / secret).stat().st_mode) == 0o600
    assert len((made / "server" / "pepper").read_bytes()) == PEPPER_BYTES


def test_the_settings_name_what_is_there(made):
    assert data_folder.gnupg_home(made).is_dir()
    assert data_folder.is_made(made)
    data_folder.check_is_made(made)


def test_no_agent_is_left_of_the_making(tmp_path, short):
    data = tmp_path / "data"
    new_demo.make(data, ADDRESS, short)
    homes = [
        data_folder.place(folder, unit_id) / "desk" / "gnupg"
        for folder in (data, tmp_path / "s" / "new")
        for unit_id in data_folder.unit_ids(data)
    ]
    assert len(homes) == 8
    running = [
        line
        for cmdline in Path("/proc").glob("[0-9]*/cmdline")
        if b"gpg-agent" in (line := read_or_nothing(cmdline)) and any(bytes(home) in line for home in homes)
    ]
    assert not running


def read_or_nothing(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_killed_midway_it_begins_again(tmp_path, short):
    left = tmp_path / "data.new" / "desk"
    left.mkdir(parents=True)
    (left / "half").write_text("half", encoding="utf-8")
    new_demo.make(tmp_path / "data", ADDRESS, short)
    assert data_folder.is_made(tmp_path / "data")
    assert not (tmp_path / "data.new").exists()
    assert not (tmp_path / "data" / "desk" / "half").exists()


def test_a_failure_leaves_no_data_folder(tmp_path, short, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no gpg
    with pytest.raises(data_folder.DataFolderRefused, match=r"(?i)gpg.* start again"):
        new_demo.make(tmp_path / "data", ADDRESS, short)
    assert not (tmp_path / "data").exists()


def test_somebody_elses_folder_is_left_alone(tmp_path, short):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(data_folder.DataFolderRefused, match="--data"):
        new_demo.make(tmp_path, ADDRESS, short)
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_an_empty_folder_will_do(tmp_path, short):
    (tmp_path / "data").mkdir()
    new_demo.make(tmp_path / "data", ADDRESS, short)
    assert data_folder.is_made(tmp_path / "data")


def test_the_courier_follows_the_collections_port(data):
    before = data_folder.courier_settings(data).read_text(encoding="utf-8")
    data_folder.point_couriers_at(data, "http://127.0.0.1:9999")
    after = data_folder.courier_settings(data).read_text(encoding="utf-8")
    assert sorted(after.replace(":9999", ":8081").splitlines()) == sorted(before.splitlines())


def test_the_courier_goes_through_tor_only_while_there_is_an_onion(data):
    before = data_folder.courier_settings(data).read_text(encoding="utf-8")
    data_folder.point_couriers_at(data, "http://x.onion", "socks5h://127.0.0.1:9050")
    told = set(data_folder.courier_settings(data).read_text(encoding="utf-8").splitlines())
    assert {'collection = "http://x.onion"', 'socks = "socks5h://127.0.0.1:9050"'} <= told
    data_folder.point_couriers_at(data, "http://127.0.0.1:8081")
    after = data_folder.courier_settings(data).read_text(encoding="utf-8")
    assert sorted(after.splitlines()) == sorted(before.splitlines())


def test_a_second_start_on_the_same_folder_is_refused(data):
    with (
        data_folder.held(data),
        pytest.raises(data_folder.DataFolderRefused, match="Another Candour"),
        data_folder.held(data),
    ):
        pass
    with data_folder.held(data):
        pass


@pytest.mark.parametrize("extra", [0, 120])
def test_gpg_works_however_long_the_path(tmp_path, copy_demo, extra):
    short = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    try:
        data = tmp_path / ("d" * max(extra, 1))
        (new_demo.make(data, ADDRESS, short) if extra else copy_demo(data))
        home = data_folder.gnupg_home(data)
        assert gpg_agent.is_too_long(home) == (len(str(home)) > gpg_agent.LONGEST_HOME)
        with gpg_agent.reachable(home, short):
            gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
            opened = subprocess.run(
                [*gpg, "--decrypt", str(data / "desk" / "reply.key.gpg")], capture_output=True, check=False
            )
            assert b"PRIVATE KEY" in opened.stdout
        assert not any((home / name).exists() for name in gpg_agent.SOCKETS)
        assert not list(short.iterdir())
    finally:
        shutil.rmtree(short)
