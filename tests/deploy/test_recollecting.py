"""`candour deploy recollect`: what a lost courier had collected waits again, for its unit alone."""

import os
import secrets
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from common.days import today
from common.store.opening import open_store
from deploy.operating import operating
from keys.registry import sign_registry

DAY = timedelta(days=1)
UNIT, OTHER = "test-unit", "other-unit"
SOURCE, GROUP = 61001, 61003


@pytest.fixture
def server(server_config):
    """A server's settings, and a store in which `test-unit` has collected three envelopes and `other-unit` one."""
    config = server_config()
    store = open_store(config.database, config.blobs)
    ids = []
    for unit, ago in ((UNIT, 9), (UNIT, 2), (UNIT, 1), (OTHER, 1)):
        with store.blobs.pending() as blob:
            blob.path.write_bytes(b"sealed")
            store.accept(
                blob, receipt_tag=secrets.token_bytes(16), unit=unit, day=today() - 9 * DAY, header=None
            )
        store.acknowledge(unit, [blob.id], today() - ago * DAY)
        ids.append(blob.id)
    yield config, store, ids
    store.engine.dispose()


def recollect(config, unit, since, *more, typed=""):
    settings = config.registry.with_name("server.toml")
    words = ["recollect", unit, "--since", f"{since}", "--settings", str(settings), *(more or ["--yes"])]
    return CliRunner().invoke(operating, words, input=typed)


def waiting(store, unit):
    return {envelope.id for envelope in store.waiting(unit)}


def test_what_was_collected_since_that_day_waits_again_and_nothing_of_another_unit(server):
    config, store, ids = server
    done = recollect(config, UNIT, today() - 2 * DAY)
    assert done.exit_code == 0, done.output
    assert "2 of test-unit wait again" in done.output
    assert waiting(store, UNIT) == set(ids[1:3])
    assert waiting(store, OTHER) == set()


def test_where_nothing_comes_back_it_says_so_and_why(server):
    config, store, _ = server
    for unit, since, why in (
        ("nobody", today() - 9 * DAY, "has no unit nobody"),
        (UNIT, today(), "after seven days"),
    ):
        done = recollect(config, unit, since)
        assert done.exit_code == 1
        assert why in str(done.exception)
    assert waiting(store, UNIT) == set()


def test_who_may_collect_now_is_said_and_nothing_waits_again_until_the_lost_one_is_none_of_them(
    server, unit_keys, registry, root_key
):
    config, store, ids = server
    done = recollect(config, UNIT, today() - 2 * DAY, "--", typed="n\n")
    assert done.exit_code == 1
    assert f"May collect for test-unit now: {unit_keys.courier_key_id}." in done.output
    assert waiting(store, UNIT) == set()
    first, *rest = registry.units
    struck = replace(registry, version=2, units=(replace(first, couriers={}), *rest))
    config.registry.write_bytes(sign_registry(struck, root_key.file))
    done = recollect(config, UNIT, today() - 2 * DAY, "--")
    assert "now: nobody." in done.output
    assert waiting(store, UNIT) == set(ids[1:3])


def test_without_settings_it_says_what_is_missing(server, tmp_path):
    done = CliRunner().invoke(
        operating, ["recollect", UNIT, "--since", "2027-01-01", "--settings", f"{tmp_path}/no"]
    )
    assert done.exit_code == 1
    assert "missing" in str(done.exception)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_on_a_host_the_database_s_files_keep_their_owner(server):
    """The folder is root's, its files are the servers' user's: a root at work there would leave files of its own."""
    config, store, _ = server
    folder = config.registry.parent
    store.engine.dispose()
    for name in ("candour.sqlite", "candour.sqlite-wal", "candour.sqlite-shm", "candour.sqlite.lock"):
        (folder / name).touch()
        os.chown(folder / name, SOURCE, GROUP)
        (folder / name).chmod(0o660)
    for path in (config.blobs, *config.blobs.rglob("*")):
        os.chown(path, SOURCE, GROUP)
    os.chown(folder, 0, GROUP)
    folder.chmod(0o750)
    for parent in folder.parents:
        parent.chmod(parent.stat().st_mode | 0o011)
    assert recollect(config, UNIT, today() - 2 * DAY).exit_code == 0
    assert {path.stat().st_uid for path in folder.glob("candour.sqlite*")} == {SOURCE}
    assert (folder / "candour.sqlite").stat().st_gid == GROUP
