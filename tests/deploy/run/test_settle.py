"""`candour settle`: at settled hours alone, beside the real servers, and as the host's users."""

import os
import secrets
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from common.config import read_server_config
from common.days import today
from common.report.padding import REPLY_CIPHERTEXT_BYTES
from common.store.database import open_store
from common.store.inbox import Inbox
from common.store.outbox import Outbox
from common.store.settlement import Settlement
from common.store.sweep import KEEP_HELD
from common.store.values import KEEP_REPLIES, Addressed, SealedReply
from common.transport import settled_hours
from deploy import data_folder
from deploy.run.settle import settle
from deploy.workshop.bench.browser import Browser
from deploy.workshop.bench.stage import stage
from keys.registry.signature import sign_registry

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
SOURCE, GROUP = 61001, 61003
LONG_AGO = "2020-01-01T00"


def run(settings: Path, *more: str):
    return CliRunner().invoke(settle, ["--settings", str(settings), *more])


def put(store, unit="test-unit", content=b"sealed"):
    header = SealedReply(secrets.token_bytes(16), secrets.token_bytes(REPLY_CIPHERTEXT_BYTES))
    tag = secrets.token_bytes(16)
    (blob_id,) = store.receive(
        [Addressed(tag, unit)], header, today(), lambda outputs: os.write(outputs[0], content)
    )
    return blob_id, tag


@contextmanager
def listing(config):
    outbox = Outbox(config.outbox, config.blobs)
    try:
        yield outbox
    finally:
        outbox.close()


def listed(config, unit="test-unit"):
    """The hour of the listing, and what it lists for a unit."""
    with listing(config) as outbox:
        return outbox.settled_hour(), [one.id for one in outbox.waiting(unit, most=10_000)]


@pytest.fixture
def server(server_config):
    """A server's settings, its store, and its server.toml."""
    config = server_config(keep_free_bytes=0)
    store = open_store(config.database, config.blobs)
    yield config, store, config.registry.with_name("server.toml")
    store.engine.dispose()


def settle_as_of(config, store, hour):
    with listing(config) as outbox:
        Settlement(store, Inbox(config.inbox), outbox, config.load_registry(), config.limits).run(hour)


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
        settings = data_folder.server_settings(servers.data)
        config = read_server_config(settings)
        store = open_store(config.database, config.blobs)
        old, tag = put(store, "demo-shared")
        assert run(settings, "--now").exit_code == 0
        store.note_held("demo-shared", [old], today() - KEEP_HELD - DAY)
        old_reply, reply = os.urandom(9328), os.urandom(9328)
        store.put_reply([b"o" * 16], old_reply, today() - KEEP_REPLIES - DAY)
        store.put_reply([b"n" * 16], reply, today())
        threads = [threading.Thread(target=send, args=(servers.source,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        times = 0
        while any(thread.is_alive() for thread in threads) or not times:
            assert run(settings, "--now").exit_code == 0
            times += 1
        for thread in threads:
            thread.join()
        assert failed == []
        done = CliRunner().invoke(settle, ["--data", str(servers.data), "--now"])
        assert (done.exit_code, done.output) == (0, "")
        with listing(config) as outbox:
            waiting = outbox.waiting(data_folder.UNIT_ID)
        assert len(waiting) == len(words) == 6
        assert all(store.blobs._path(one.id).stat().st_size == one.size for one in waiting)
        assert not store.blobs._path(old).exists()
        content = b"".join(file.read_bytes() for file in (servers.data / "server").glob("candour.sqlite*"))
        assert reply[:64] in content
        assert old_reply[:64] not in content
        assert tag not in content
        store.engine.dispose()


def test_between_two_settled_hours_it_does_nothing_and_at_the_next_everything(server):
    config, store, settings = server
    first, _ = put(store)
    assert run(settings).exit_code == 0
    hour = settled_hours.last_settled_hour(settled_hours.DEFAULT_EVERY_HOURS)
    assert listed(config) == (hour, [first])
    second, _ = put(store)
    assert run(settings).exit_code == 0
    assert listed(config) == (hour, [first])
    settle_as_of(config, store, LONG_AGO)
    third, _ = put(store)
    assert third not in listed(config)[1]
    done = run(settings)
    assert (done.exit_code, done.output) == (0, "")
    assert listed(config) == (hour, sorted([first, second, third]))
    fourth, _ = put(store)
    assert run(settings, "--now").exit_code == 0
    assert listed(config) == (settled_hours.this_hour(), sorted([first, second, third, fourth]))


def test_how_many_hours_lie_between_is_the_registry_s_word(server, registry, root_key):
    config, store, settings = server
    for every in (24, 1):
        version = replace(registry, version=25 - every, settle_every_hours=every)
        config.registry.write_bytes(sign_registry(version, root_key.file))
        settle_as_of(config, store, LONG_AGO)
        assert run(settings).exit_code == 0
        assert listed(config)[0] == settled_hours.last_settled_hour(every)
    assert settled_hours.last_settled_hour(24).endswith("T00")


def test_it_finds_the_settings_as_the_servers_do(server):
    config, _, settings = server
    done = CliRunner().invoke(settle, [], env={"CANDOUR_SERVER": str(settings)})
    assert (done.exit_code, done.output) == (0, "")
    assert listed(config)[0]


def test_on_a_day_that_the_registry_does_not_hold_for_nothing_is_deleted_or_listed(server, monkeypatch):
    """The clock may be far ahead."""
    config, store, settings = server
    store.put_reply([b"r" * 16], b"one", today())
    put(store)
    late = today() + 4000 * DAY
    for module in ("common.days", "common.config"):
        monkeypatch.setattr(f"{module}.today", lambda: late)
    done = run(settings, "--now")
    assert done.exit_code == 1
    assert "Nothing was taken in, listed or deleted. See that the clock is right" in str(done.exception)
    assert store.reply(b"r" * 16) == b"one"
    assert listed(config) == (None, [])


def test_settings_that_are_not_there_are_told(tmp_path):
    done = run(tmp_path / "server.toml")
    assert done.exit_code == 1
    assert "missing" in str(done.exception)


def test_where_it_cannot_end_couriers_see_what_they_saw_before_and_the_next_one_takes_it_up(server):
    config, store, settings = server
    first, _ = put(store)
    assert run(settings, "--now").exit_code == 0
    second, _ = put(store)
    in_the_way = config.outbox / "listing.sqlite.part"
    in_the_way.mkdir()
    done = run(settings, "--now")
    assert done.exit_code == 1
    assert "couriers see what they saw before" in str(done.exception)
    assert listed(config)[1] == [first]
    in_the_way.rmdir()
    assert run(settings, "--now").exit_code == 0
    assert listed(config)[1] == sorted([first, second])


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_run_by_root_it_leaves_no_file_of_root_s_among_those_of_the_servers(server):
    config, store, settings = server
    put(store)
    store.engine.dispose()
    folder = settings.parent
    for path in (config.blobs, config.outbox, config.inbox):
        path.mkdir(exist_ok=True)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, SOURCE, GROUP)
    for parent in folder.parents:
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    assert run(settings, "--now").exit_code == 0
    assert {path.stat().st_uid for path in folder.rglob("*")} == {SOURCE}
    assert len(listed(config)[1]) == 1
