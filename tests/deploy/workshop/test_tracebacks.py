"""Errors in full: shown by a demo whose developer asked for them, and by no other server."""

import re
import shutil
import signal

import pytest

from deploy import data_folder
from deploy.host import steps
from deploy.run import servers
from deploy.workshop.demo import new_demo, tracebacks
from deploy.workshop.demo.tracebacks import ASKED, TracebacksRefused, are_asked_for
from tests.deploy.workshop.test_up import PORTS, addresses, running, status

pytestmark = pytest.mark.slow

WRONG = b"no registry"


@pytest.fixture(scope="module")
def made(short_folder):
    folder = short_folder()
    (folder / "s").mkdir(mode=0o700)
    new_demo.make(folder / "data", "http://127.0.0.1:8081", folder / "s")
    return folder / "data"


def what_it_says(data, *words):
    """A command's servers while their registry breaks, and somebody looks at a page."""
    registry = data / "server" / "registry.json"
    good = registry.read_bytes()
    with running(*words) as (process, printed):
        registry.write_bytes(WRONG)
        assert status(addresses(printed)[0] + "/certificate") == 503
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    registry.write_bytes(good)
    return errors


def test_up_shows_errors_in_full_where_it_is_asked_to(made, monkeypatch):
    monkeypatch.setenv(ASKED, "1")
    said = what_it_says(made, "up", "--data", str(made), *PORTS)
    assert "source interface: Traceback (most recent call last)" in said
    assert re.search(r"source interface: .*RegistryRefused: The registry is refused", said)


@pytest.mark.parametrize("value", [None, "", "0", "yes"])
def test_up_shows_none_where_it_is_not(made, monkeypatch, value):
    monkeypatch.delenv(ASKED, raising=False)
    if value is not None:
        monkeypatch.setenv(ASKED, value)
    assert not are_asked_for(made, onion=False)
    if value is None:
        said = what_it_says(made, "up", "--data", str(made), *PORTS)
        assert "The registry is refused" in said
        assert "Traceback" not in said


def test_others_may_not_come_while_errors_are_shown(made, tmp_path, monkeypatch):
    monkeypatch.setenv(ASKED, "1")
    with pytest.raises(TracebacksRefused, match="--onion"):
        are_asked_for(made, onion=True)
    for part in ("server", "courier", "desk"):
        shutil.copytree(made / part, tmp_path / part, ignore=shutil.ignore_patterns("S.*"))
    assert are_asked_for(tmp_path, onion=False)
    settings = data_folder.desk_settings(tmp_path)
    settings.write_text(settings.read_text().replace(data_folder.UNIT_ID, "west-unit"))
    with pytest.raises(TracebacksRefused, match="no demo"):
        are_asked_for(tmp_path, onion=False)


def test_a_host_s_servers_know_no_way_to_show_errors_in_full():
    named = [
        words
        for unit in (steps.TREE / "etc/systemd/system").glob("*.service")
        for words in re.findall(r"--config (\S+)", unit.read_text())
    ]
    assert named == ["python:deploy.server.gunicorn_config"] * 2
    rooms = [
        servers.PROJECT / room for room in ("common", "source_interface", "journalist_interface", "keys")
    ]
    code = [*(servers.PROJECT / "deploy" / part for part in ("server", "run", "host")), *rooms]
    for file in (file for folder in code for file in folder.rglob("*") if file.is_file()):
        said = file.read_bytes()
        assert ASKED.encode() not in said, file
        assert tracebacks.CONFIG.encode() not in said, file
