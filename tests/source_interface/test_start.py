"""The source interface starts: on a full disk too, and with a listing for the collection from the first moment."""

import os
import shutil

import pytest

from common.config import BadConfiguration, read_server_config
from common.days import midnight_of, today
from common.store.blob_pool import POOL
from common.store.outbox import Outbox
from common.store.values import Addressed, SealedReply
from common.transport.settled_hours import is_due, last_settled_hour
from source_interface.services import build

TAG = b"t" * 16


def take_in(house):
    """A message, as a reporter leaves it."""
    header = SealedReply(os.urandom(16), b"x")
    house.store.receive(
        [Addressed(TAG, "test-unit")], header, today(), lambda outputs: os.write(outputs[0], b"sealed")
    )


def outbox_of(house):
    return Outbox(house.config.outbox, house.config.blobs)


def test_a_store_that_was_never_settled_has_an_empty_listing_of_the_last_settled_hour(server_config):
    house = build(server_config())
    outbox = outbox_of(house)
    every = house.registry.current().settle_every_hours
    assert outbox.settled_hour() == last_settled_hour(every)
    assert not is_due(outbox.settled_hour(), every)
    assert outbox.waiting("test-unit") == []
    outbox.close()
    house.store.engine.dispose()


def test_another_start_shows_nothing_new_and_a_restored_store_shows_what_was_listed(server_config):
    config = server_config()
    house = build(config)
    take_in(house)
    house.store.engine.dispose()
    house = build(config)
    assert outbox_of(house).waiting("test-unit") == []
    with house.store.writing() as connection:
        connection.exec_driver_sql("UPDATE envelope SET state = 'listed'")
    shutil.rmtree(config.outbox)  # no backup has it
    house.store.engine.dispose()
    house = build(config)
    assert len(outbox_of(house).waiting("test-unit")) == 1
    house.store.engine.dispose()


def test_files_are_made_ahead_and_the_database_tells_no_hour(server_config):
    house = build(server_config())
    assert len(list((house.config.blobs / "pool").iterdir())) == POOL
    for file in house.store.database_files():
        assert not file.exists() or file.stat().st_mtime == midnight_of(today())


def test_without_its_pepper_it_does_not_start(server_config):
    config = server_config()
    config.pepper_file.unlink()
    with pytest.raises(BadConfiguration, match="pepper cannot be read"):
        build(config)


@pytest.mark.parametrize("leave", [128 * 1024, 4 * 1024**2])  # SQLite opens no database without a few pages
def test_it_starts_on_a_disk_without_room_and_keeps_all_that_it_has(
    server_config, small_disk, leave, log_is_listed
):
    folder = server_config().registry.parent
    shutil.copytree(folder, small_disk / "server")
    settings = small_disk / "server" / "server.toml"
    house = build(read_server_config(settings))
    take_in(house)
    house.store.engine.dispose()
    shutil.rmtree(small_disk / "server" / "outbox")
    with (small_disk / "filler").open("wb") as stream:
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        stream.write(b"x" * (free - leave))
    house = build(read_server_config(settings))
    assert house.store.was_received(TAG)
    log_is_listed()
    house.store.engine.dispose()


@pytest.fixture
def log_is_listed(caplog):
    """Whether a server may say all that was logged."""
    from deploy.server.log_forms import is_allowed

    def check():
        assert caplog.messages
        assert [message for message in caplog.messages if not is_allowed(message)] == []

    return check
