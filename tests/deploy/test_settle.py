"""`candour sweep`, beside the real servers and as the host's users."""

import os
import secrets
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from common.config import read_server_config
from common.days import today
from common.store.kept import KEEP_REPLIES
from common.store.opening import open_engine, open_store
from common.store.sweeping import KEEP_COLLECTED
from deploy import demo
from deploy.bench.browser import Browser
from deploy.bench.stage import stage
from deploy.sweep import sweep

DAY = timedelta(days=1)
SOURCE, COLLECTION, GROUP = 61001, 61002, 61003
DATABASE_FILES = ("candour.sqlite", "candour.sqlite-wal", "candour.sqlite-shm", "candour.sqlite.lock")


def run(settings: Path, **more):
    return CliRunner().invoke(sweep, ["--settings", str(settings)], **more)


def test_beside_the_servers_it_loses_nothing_and_what_is_past_its_time_leaves_no_byte(tmp_path):
    words, failed = [], []

    def send(address):
        try:
            for _ in range(3):
                browser = Browser(address)
                browser.begin()
                browser.send("/report", 0, "It happened at the yard.")
                words.append(browser.codename())
                browser.close()
        except Exception as error:  # noqa: BLE001  shown below
            failed.append(error)

    with stage(tmp_path) as servers:
        settings = demo.server_settings(servers.data)
        config = read_server_config(settings)
        store = open_store(config.database, config.blobs)
        tag, old_reply, reply = secrets.token_bytes(16), os.urandom(9328), os.urandom(9328)
        with store.blobs.pending() as blob:
            blob.path.write_bytes(b"sealed")
            store.accept(blob, receipt_tag=tag, unit="other", day=today(), header=None)
        store.acknowledge("other", [blob.id], today() - KEEP_COLLECTED - DAY)
        store.post_reply([b"o" * 16], old_reply, today() - KEEP_REPLIES - DAY)
        store.post_reply([b"n" * 16], reply, today())
        threads = [threading.Thread(target=send, args=(servers.source,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        sweeps = 0
        while any(thread.is_alive() for thread in threads) or not sweeps:
            assert run(settings).exit_code == 0
            sweeps += 1
        for thread in threads:
            thread.join()
        assert failed == []
        assert run(settings).output == ""
        waiting = store.waiting(demo.UNIT_ID)
        assert len(waiting) == len(words) == 6
        assert all(store.blobs.path(one.id).stat().st_size == one.size for one in waiting)
        assert not store.blobs.path(blob.id).exists()
        content = b"".join(file.read_bytes() for file in (servers.data / "server").glob("candour.sqlite*"))
        assert reply[:64] in content
        assert old_reply[:64] not in content
        assert tag not in content
        browser = Browser(servers.source)
        browser.come_back(words[0])
        assert b"not yet collected" in browser.get("/conversation").body
        store.engine.dispose()


def test_it_finds_the_settings_as_the_servers_do(server_config):
    settings = server_config().registry.with_name("server.toml")
    done = CliRunner().invoke(sweep, [], env={"CANDOUR_SERVER": str(settings)})
    assert (done.exit_code, done.output) == (0, "")
    assert (settings.parent / "candour.sqlite").exists()
    assert CliRunner().invoke(sweep, []).exit_code == 2


def test_on_a_day_that_the_registry_does_not_hold_for_nothing_is_deleted(server_config, monkeypatch):
    """The clock may be far ahead."""
    config = server_config()
    store = open_store(config.database, config.blobs)
    store.post_reply([b"r" * 16], b"one", today())
    late = today() + 4000 * DAY
    for module in ("common.days", "common.config"):
        monkeypatch.setattr(f"{module}.today", lambda: late)
    done = run(config.registry.with_name("server.toml"))
    assert done.exit_code == 1
    assert "Nothing was deleted. See that the clock is right" in str(done.exception)
    assert store.reply(b"r" * 16) == b"one"
    store.engine.dispose()


def test_settings_that_are_not_there_are_told(tmp_path):
    done = run(tmp_path / "server.toml")
    assert done.exit_code == 1
    assert "missing" in str(done.exception)


def start_as(user, action):
    """A child process of another user of the group; its exit code is what `action` gives."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([GROUP])
            os.setgid(user)
            os.setuid(user)
            os._exit(action())
        finally:
            os._exit(99)
    return child


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def give_away(folder, blobs):
    """Owners and modes as on a host."""
    for name in DATABASE_FILES:
        (folder / name).touch()
        os.chown(folder / name, SOURCE, GROUP)
        (folder / name).chmod(0o660)
    for path in (blobs, *blobs.rglob("*")):
        os.chown(path, SOURCE, GROUP)
    for path in (folder, *folder.iterdir()):
        if path.stat().st_uid == 0:
            os.chown(path, 0, GROUP)
            path.chmod(0o750 if path.is_dir() else 0o640)
    for parent in folder.parents:
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two other users")
def test_it_runs_as_the_source_interface_s_user_where_only_root_may_make_files(server_config):
    """The database's folder is root's, its files are one user's, and another user of the group has them open."""
    config = server_config()
    folder = config.registry.parent
    database = folder / "candour.sqlite"
    assert run(folder / "server.toml").exit_code == 0  # the tables are made, and all modules are loaded
    give_away(folder, config.blobs)

    def swept():
        return run(folder / "server.toml").exit_code

    assert ended(start_as(SOURCE, swept)) == 0
    (ready, is_ready), (go, goes) = os.pipe(), os.pipe()

    def collecting():
        connection = open_engine(config.database).connect()
        count = text("SELECT count(*) FROM envelope")
        connection.execute(count).scalar()
        connection.rollback()
        os.write(is_ready, b"x")
        os.close(goes)
        os.read(go, 1)
        return connection.execute(count).scalar()

    reader = start_as(COLLECTION, collecting)
    os.close(is_ready)
    assert os.read(ready, 1) == b"x"
    assert ended(start_as(SOURCE, swept)) == 0
    os.close(goes)
    assert ended(reader) == 0
    for descriptor in (ready, go):
        os.close(descriptor)
    owners = {path.name: path.stat().st_uid for path in folder.glob("candour.sqlite*")}
    assert owners == dict.fromkeys(DATABASE_FILES, SOURCE)
    assert database.stat().st_size > 0
