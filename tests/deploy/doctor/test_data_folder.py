"""The doctor, on real data folders that something is wrong with."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from common.config import read_server_config
from common.days import today
from common.store.database import open_engine, open_store
from common.version import VERSION
from deploy import data_folder
from deploy.doctor.examination import examine, run_doctor
from deploy.doctor.finding import Finding, State
from deploy.run import servers
from deploy.workshop.demo import new_demo
from keys.registry.signature import sign_registry

pytestmark = pytest.mark.slow

FREE = {"--source-port": 0}


@pytest.fixture
def data(tmp_path: Path, copy_demo) -> Path:
    copy_demo(tmp_path / "data")
    return tmp_path / "data"


def about(data: Path, word: str, ports: dict[str, int] | None = None) -> Finding:
    return next(finding for finding in examine(data, ports or FREE) if word in finding.text)


def test_a_fresh_demo_has_nothing_wrong_of_its_own(tmp_path, short_folder):
    data = tmp_path / "data"
    new_demo.make(data, "http://127.0.0.1:8081", short_folder())
    for word in (
        "GnuPG",
        "data folder",
        "Only you",
        "settings",
        "signature holds",
        "No certificate",
        "database",
        "disk",
        "Port 0",
    ):
        assert about(data, word).state is State.GOOD


def test_it_says_which_candour_signed_the_registry(data):
    assert about(data, "signature holds").text.endswith(f"; Candour {VERSION} signed it")


def test_it_works_before_there_is_a_data_folder(tmp_path, capsys):
    run_doctor(examine(tmp_path / "nothing", FREE))
    assert "`./candour up` makes it" in capsys.readouterr().out


def test_a_file_that_others_can_read_is_named(data, capsys):
    (data / "server" / "pepper").chmod(0o644)
    finding = about(data, "Open to other users")
    assert finding.state is State.WRONG
    assert "pepper" in finding.text
    assert "chmod" in finding.remedy
    assert run_doctor(examine(data, FREE)) == 1


def test_an_altered_registry_is_wrong(data):
    path = data / "server" / "registry.json"
    path.write_bytes(path.read_bytes().replace(b"Demo", b"Fake"))
    assert about(data, "registry is refused").state is State.WRONG


def test_a_registry_near_its_end_is_a_warning(data):
    registry = read_server_config(data_folder.server_settings(data)).load_registry()
    soon = replace(registry, expires=today() + timedelta(days=3))
    signed = sign_registry(soon, data / "root" / "registry-root.key")
    (data / "server" / "registry.json").write_bytes(signed)
    assert about(data, "registry ends").state is State.WARNING


def test_a_registry_in_grace_is_a_warning_with_its_last_day(data):
    settings = data_folder.server_settings(data)
    registry = read_server_config(settings).load_registry()
    last = today() - timedelta(days=3)
    ended = replace(registry, issued=last - timedelta(days=9), expires=last)
    signed = sign_registry(ended, data / "root" / "registry-root.key")
    (data / "server" / "registry.json").write_bytes(signed)
    assert about(data, "registry is refused").state is State.WRONG
    settings.write_text(f"registry_grace_days = 5\n{settings.read_text()}")
    finding = about(data, "The registry ended on")
    assert finding.state is State.WARNING
    assert f"until {last + timedelta(days=5)}" in finding.text


def test_a_lost_pepper_is_wrong(data):
    (data / "server" / "pepper").unlink()
    assert about(data, "server's settings").state is State.WRONG


def test_a_database_of_an_old_shape_is_wrong(data):
    engine = open_engine(read_server_config(data_folder.server_settings(data)).database)
    engine.connect().close()
    engine.dispose()
    assert about(data, "old shape").state is State.WRONG


def test_messages_that_were_set_aside_are_a_warning(data):
    config = read_server_config(data_folder.server_settings(data))
    store = open_store(config.database, config.blobs)
    with store.blobs.create() as blob:
        os.write(blob.descriptor, b"x")
        store.blobs.commit(blob, today())
    store.sweep(today(), alone=True)
    store.engine.dispose()
    finding = about(data, "Set aside, for the database does not know them: 1 sealed message")
    assert finding.state is State.WARNING
    assert "put the right one in place within 14 days" in finding.remedy


def test_a_taken_port_is_wrong_and_while_candour_runs_nothing_is_said_of_ports(data):
    with servers.listen("source interface", 0, "--source-port") as taken:
        ports = {"--source-port": servers.port_of(taken)}
        assert about(data, "by another program", ports).state is State.WRONG
        for running in ("desk", "server"):
            with data_folder.held(data / running):
                assert about(data, "Candour is running on", FREE).state is State.GOOD
                assert not [finding for finding in examine(data, {**ports, **FREE}) if "Port" in finding.text]
