"""Messages in the store: accepted once, seen by their unit alone, deleted when they should be."""

import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from common.days import today
from common.store.sweep import KEEP_HELD
from common.store.values import Addressed, AlreadyReceived, SealedReply, Sent, State, Withdrawal

DAY = timedelta(days=1)
TAG = b"t" * 16
HEADER = SealedReply(b"h" * 16, b"header")


def test_an_accepted_message_is_there(store, put, blob_files, settle, outbox):
    put(TAG, header=b"h" * 16, content=b"sealed" * 1000)
    assert store.was_received(TAG)
    assert not store.was_received(b"u" * 16)
    box = store.mailbox([TAG], [b"h" * 16])
    assert box.sent == {TAG: Sent(today(), State.NEW)}
    assert len(box.replies) == 1
    settle()
    [envelope] = outbox.waiting("u")
    assert envelope.day == today()
    assert envelope.size == 6000
    assert outbox.open("u", envelope.id).read() == b"sealed" * 1000
    assert [file.name for file in blob_files()] == [envelope.id]


def test_a_blob_is_durable_and_in_place_before_its_row_is_written(
    store, put, monkeypatch, folder, blob_files
):
    store.blobs.fill_pool()
    events = []
    fsync = os.fsync

    def spy(descriptor):
        events.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)

    @event.listens_for(store.engine, "before_cursor_execute")
    def _note(connection, cursor, statement, *_):
        if statement.startswith("INSERT INTO envelope"):
            events.append("row")

    put(TAG)
    [blob] = blob_files()
    assert events == [str(folder / "blobs" / "staging" / blob.name), str(blob.parent), "row"]


def test_a_message_sent_twice_is_kept_once(store, put, blob_files):
    put(TAG, content=b"first")
    with pytest.raises(AlreadyReceived):
        put(TAG, header=b"h" * 16, content=b"second")
    assert [path.read_bytes() for path in blob_files()] == [b"first"]
    assert store.mailbox([], [b"h" * 16]).replies == {}  # nothing of the second is kept


def test_of_eight_at_once_with_one_tag_exactly_one_is_kept(store, put, blob_files):
    start = threading.Barrier(8)
    outcomes = []

    def send(number):
        start.wait(30)
        try:
            put(TAG, content=b"%d" % number)
            outcomes.append("kept")
        except AlreadyReceived:
            outcomes.append("already")

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["already"] * 7 + ["kept"]
    assert len(blob_files()) == 1


def test_many_at_once_with_their_own_tags_are_all_kept(another_process, put, blob_files, settle, outbox):
    threads = [threading.Thread(target=put) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    settle()
    assert len(outbox.waiting("u")) == len(blob_files()) == 16


NOBODY: Any = None


def test_only_a_message_that_is_kept_is_called_received(store, blob_files):
    """A row that the database refuses for another reason must not look like one that it has."""
    with pytest.raises(SQLAlchemyError):
        store.receive([Addressed(TAG, NOBODY)], HEADER, today(), lambda outputs: os.write(outputs[0], b"x"))
    assert not store.was_received(TAG)
    assert blob_files() == []


def test_a_database_that_fails_leaves_no_blob(store, blob_files):
    @event.listens_for(store.engine, "before_cursor_execute")
    def _fail(connection, cursor, statement, *_):
        if statement.startswith("INSERT INTO reply"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.receive([Addressed(TAG, "u")], HEADER, today(), lambda outputs: os.write(outputs[0], b"x"))
    assert not store.was_received(TAG)
    store.sweep(today(), alone=True)
    assert blob_files() == []


def test_what_was_never_accepted_is_gone_when_its_writer_leaves(store, blob_files):
    with pytest.raises(ZeroDivisionError), store.blobs.create() as blob:
        os.write(blob.descriptor, b"half a report")
        raise ZeroDivisionError
    assert blob_files() == []


def test_every_message_leaves_a_header_of_its_own(store, put):
    """So each writes as many rows of the same look, and none is written over: nothing pairs a later one with it."""
    put(header=b"h" * 16)
    put(header=b"i" * 16)
    assert len(store.mailbox([], [b"h" * 16, b"i" * 16]).replies) == 2


def test_a_message_in_the_place_of_one_that_was_withdrawn_is_kept_with_its_header(store, put, blob_files):
    put(b"r" * 16, header=b"h" * 16)
    assert store.withdraw(b"r" * 16) == Withdrawal.GONE
    first = store.reply(b"h" * 16)
    put(b"r" * 16, header=b"h" * 16)
    assert len(blob_files()) == 1
    assert store.mailbox([b"r" * 16], [b"h" * 16]).sent[b"r" * 16].state is State.NEW
    assert store.reply(b"h" * 16) not in (None, first)


def test_what_no_unit_ever_saw_is_withdrawn_at_once(store, put, blob_files, settle, outbox):
    put(TAG)
    put()
    assert store.withdraw(TAG) is Withdrawal.GONE
    assert not store.was_received(TAG)
    assert len(blob_files()) == 1
    assert store.withdraw(TAG) is None
    settle()
    assert len(outbox.waiting("u")) == 1


def test_what_is_listed_is_withdrawn_at_the_next_settlement_and_the_unit_sees_nothing_of_it_before(
    store, put, blob_files, settle, outbox
):
    put(TAG, content=b"sealed")
    settle()
    [envelope] = outbox.waiting("u")
    for _ in range(2):
        assert store.withdraw(TAG) is Withdrawal.LATER
        assert store.mailbox([TAG], []).sent == {TAG: Sent(today(), State.WITHDRAWN)}
        assert outbox.waiting("u") == [envelope]
        assert outbox.open("u", envelope.id).read() == b"sealed"
    settle("2026-11-29T00")
    assert outbox.waiting("u") == []
    assert outbox.open("u", envelope.id) is None
    assert blob_files() == []
    assert store.mailbox([TAG], []).sent == {}


def test_what_its_desk_holds_cannot_be_withdrawn_and_is_listed_no_more(
    store, put, blob_files, settle, outbox
):
    put(TAG)
    settle()
    [envelope] = outbox.waiting("u")
    store.note_held("u", [envelope.id], today())
    assert store.withdraw(TAG) is None
    assert len(blob_files()) == 1
    assert store.mailbox([TAG], []).sent == {TAG: Sent(today(), State.HELD)}
    settle()
    assert outbox.waiting("u") == []


def test_what_its_desk_held_before_it_was_withdrawn_is_said_to_be_held(store, put, settle, outbox):
    put(TAG)
    settle()
    store.withdraw(TAG)
    store.note_held("u", [outbox.waiting("u")[0].id], today())
    assert store.mailbox([TAG], []).sent == {TAG: Sent(today(), State.HELD)}


def test_a_unit_sees_nothing_of_anothers(store, put, settle, outbox):
    put(TAG, unit="u")
    settle()
    [envelope] = outbox.waiting("u")
    assert outbox.waiting("other") == []
    assert outbox.open("other", envelope.id) is None
    assert outbox.open("u", envelope.id) is not None
    store.note_held("other", [envelope.id], today())
    assert store.mailbox([TAG], []).sent == {TAG: Sent(today(), State.LISTED)}


def test_what_no_unit_was_shown_none_can_hold(store, put, blob_files):
    put(TAG)
    store.note_held("u", [path.name for path in blob_files()], today())
    assert store.mailbox([TAG], []).sent == {TAG: Sent(today(), State.NEW)}


@pytest.mark.parametrize(
    "untrusted", ["", "..", "../x", "0" * 31, "0" * 33, "G" * 32, "0" * 32, "A" * 32, "0" * 32 + "\n"]
)
def test_a_name_that_is_no_blobs_gives_no_file(store, settle, outbox, untrusted):
    settle()
    assert outbox.open("u", untrusted) is None
    if untrusted != "0" * 32:
        with pytest.raises(ValueError, match="not a blob's name"):
            store.blobs._path(untrusted)


def test_listed_is_given_in_pages_by_id(put, settle, outbox):
    for size in range(7):
        put(content=b"x" * size)
    settle()
    seen, after = [], ""
    while page := outbox.waiting("u", after, most=3):
        assert len(page) <= 3
        seen += [envelope.id for envelope in page]
        after = seen[-1]
    assert seen == sorted(set(seen))
    assert len(seen) == 7
    assert sorted(one.size for one in outbox.waiting("u", no_larger_than=3)) == [0, 1, 2, 3]


def test_noting_twice_keeps_the_first_day(store, put, settle, outbox):
    put(TAG)
    settle()
    [envelope] = outbox.waiting("u")
    store.note_held("u", [envelope.id], today() - timedelta(days=7))
    store.note_held("u", [envelope.id], today())
    store.sweep(today() + timedelta(days=1), alone=True)
    assert not store.was_received(TAG)


def test_what_nobody_holds_waits_however_long_and_is_kept_a_week_once_its_desk_holds_it(
    store, put, settle, outbox
):
    tag = put()
    settle()
    late = today() + 400 * DAY
    store.sweep(late, alone=True)
    assert store.was_received(tag)
    store.note_held("u", [envelope.id for envelope in outbox.waiting("u")], late)
    store.sweep(late + KEEP_HELD, alone=True)
    assert store.was_received(tag)
    store.sweep(late + KEEP_HELD + DAY, alone=True)
    assert not store.was_received(tag)
