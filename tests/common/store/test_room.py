"""A disk without room: what units post waits first, reports are taken longest, and a start needs none."""

import os
from contextlib import suppress

import pytest

from common.config import Limits
from common.days import today
from common.store.outbox import Outbox
from common.store.values import State
from tests.common.store.conftest import ROOM

SLOTS = [bytes([n]) * 16 for n in range(1, 9)]
MB = 1024**2
NO_COPY = "The disk has no room for a copy of the database: it was not written anew"


@pytest.fixture
def folder(small_disk):
    return small_disk


def fill(folder, leave):
    """Leave so many bytes free."""
    with (folder / "filler").open("ab") as stream:
        while (free := os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize) > leave:
            try:
                stream.write(b"x" * min(MB, free - leave))
                stream.flush()
            except OSError:
                break


def test_answers_and_what_is_passed_on_wait_while_reports_and_receipts_are_taken(
    store, put, settle, inbox, outbox, desk, forward, folder
):
    held = put(content=b"held")
    settle()
    [envelope] = outbox.waiting("u")
    inbox.put_post("u", desk.reply(*SLOTS[:3]))
    inbox.put_post("u", desk.receipts({envelope.id: b"held"}))
    passed_on = forward(desk, b"passed on", "other")
    limits = Limits(keep_free_bytes=4 * MB, reserve_for_reports_bytes=4 * MB)
    fill(folder, limits.keep_free_bytes + MB)
    new = put(content=b"new")
    settle("2026-11-29T00", limits=limits)
    sent = store.mailbox([held, new], SLOTS)
    assert {tag: sent.sent[tag].state for tag in (held, new)} == {held: State.HELD, new: State.LISTED}
    assert sent.replies == {}
    assert outbox.waiting("other") == []
    assert [one.size for one in outbox.waiting("u")] == [3]
    assert outbox.returned("u") == []

    (folder / "filler").unlink()
    settle("2026-11-29T06", limits=limits)
    assert list(store.mailbox([], SLOTS).replies) == SLOTS[:1]
    assert [one.id for one in outbox.waiting("other")] == [passed_on]


def test_without_room_for_a_copy_the_database_is_left_as_it_is_with_one_line(store, put, folder, caplog):
    put(b"t" * 16)
    for keep_free in (0, 4 * MB):
        fill(folder, keep_free + 64 * 1024)
        store.sweep(today(), alone=True, keep_free=keep_free)
        assert caplog.messages == [NO_COPY]
        caplog.clear()
        (folder / "filler").unlink()
    assert store.was_received(b"t" * 16)
    store.sweep(today(), alone=True)
    assert caplog.messages == []


def test_a_settlement_for_which_there_is_no_room_leaves_the_listing_and_ends_another_time(
    store, put, settle, outbox, folder
):
    tag = put()
    settle("2026-11-28T12")
    put()
    store.withdraw(tag)
    fill(folder, 0)
    with suppress(Exception):
        settle()
    assert (outbox.settled_hour(), len(outbox.waiting("u"))) in {("2026-11-28T12", 1), ("2026-11-28T18", 1)}
    (folder / "filler").unlink()
    settle()
    assert outbox.settled_hour() == "2026-11-28T18"
    assert len(outbox.waiting("u")) == 1
    assert len(Outbox(folder / "outbox", folder / "blobs").waiting("u")) == 1


def test_until_the_next_settled_hour_the_listing_says_how_much_room_there_is_whatever_the_disk_says(
    put, settle, inbox, outbox, desk, folder
):
    disk, step = os.statvfs(folder), (24 * MB) // 256
    limits = Limits(keep_free_bytes=4 * MB, reserve_for_reports_bytes=MB)
    settle(limits=limits)
    room = outbox.room()
    assert room % step == 0
    assert 0 <= disk.f_bavail * disk.f_frsize - 5 * MB - room < MB
    put(content=b"x" * 2 * MB)
    assert outbox.room() == room
    identity, slip = desk.slip(b"y" * 2 * MB, "other")
    inbox.begin("u", identity, slip)
    inbox.append("u", identity, 0, b"y" * MB)
    settle(limits=limits)
    assert -step <= outbox.room() - (room - 2 * MB) <= step, "what waits in the inbox counts once"
    fill(folder, 4 * MB)
    settle(limits=limits)
    assert outbox.room() == 0


def test_the_tests_of_settling_keep_nothing_free():
    assert ROOM.kept_from_posts(2**40) == 0
