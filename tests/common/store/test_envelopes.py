"""Messages in the store: accepted once, seen by their unit alone, deleted when they should be."""

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from common.days import today
from common.store.kept import AlreadyReceived, SealedReply
from common.store.sweeping import KEEP_COLLECTED

DAY = timedelta(days=1)
TAG = b"t" * 16
HEADER = SealedReply(b"h" * 16, b"header")


def test_an_accepted_message_is_there(store, put, blob_files):
    put(TAG, header=b"h" * 16, content=b"sealed" * 1000)
    assert store.was_received(TAG)
    assert not store.was_received(b"u" * 16)
    envelope = store.waiting("u")[0]
    assert envelope.day == today()
    assert envelope.size == 6000
    assert store.sealed_file("u", envelope.id).read_bytes() == b"sealed" * 1000
    assert blob_files() == [store.sealed_file("u", envelope.id)]
    box = store.mailbox([TAG], [b"h" * 16])
    assert box.sent == {TAG: (today(), False)}
    assert len(box.replies) == 1


def test_a_blob_is_durable_and_in_place_before_its_row_is_written(store, put, monkeypatch, folder):
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
    blob = store.sealed_file("u", store.waiting("u")[0].id)
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
    assert len(blob_files()) == len(store.waiting("u")) == 1


def test_many_at_once_with_their_own_tags_are_all_kept(store, another_process, put, blob_files):
    threads = [threading.Thread(target=put) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(another_process.waiting("u")) == len(blob_files()) == 16


def test_only_a_message_that_is_kept_is_called_received(store, blob_files):
    """A row that the database refuses for another reason must not look like one that it has."""
    with store.blobs.pending() as blob:
        blob.path.write_bytes(b"x")
        with pytest.raises(SQLAlchemyError):
            store.accept(blob, receipt_tag=TAG, unit=None, day=today(), header=HEADER)
    assert not store.was_received(TAG)
    assert blob_files() == []


def test_a_database_that_fails_leaves_no_blob(store, blob_files):
    @event.listens_for(store.engine, "before_cursor_execute")
    def _fail(connection, cursor, statement, *_):
        if statement.startswith("INSERT INTO reply"):
            raise ZeroDivisionError

    with store.blobs.pending() as blob:
        blob.path.write_bytes(b"x")
        with pytest.raises(ZeroDivisionError):
            store.accept(blob, receipt_tag=TAG, unit="u", day=today(), header=HEADER)
    assert not store.was_received(TAG)
    store.sweep(today(), alone=True)
    assert blob_files() == []


def test_what_was_never_accepted_is_gone_when_its_writer_leaves(store, blob_files):
    with pytest.raises(ZeroDivisionError), store.blobs.pending() as blob:
        blob.path.write_bytes(b"half a report")
        raise ZeroDivisionError
    assert blob_files() == []


def test_a_follow_up_replaces_the_header(store, put):
    put(header=b"h" * 16)
    first = store.mailbox([], [b"h" * 16]).replies
    put(header=b"h" * 16)
    assert store.mailbox([], [b"h" * 16]).replies != first
    assert len(store.waiting("u")) == 2


def test_a_withdrawn_message_is_gone_with_its_blob(store, put, blob_files):
    put(TAG)
    put()
    assert store.withdraw(TAG)
    assert not store.was_received(TAG)
    assert len(blob_files()) == len(store.waiting("u")) == 1
    assert not store.withdraw(TAG)


def test_a_collected_message_cannot_be_withdrawn(store, put, blob_files):
    put(TAG)
    store.acknowledge("u", [store.waiting("u")[0].id], today())
    assert not store.withdraw(TAG)
    assert len(blob_files()) == 1
    assert store.mailbox([TAG], []).sent == {TAG: (today(), True)}


def test_a_unit_sees_nothing_of_anothers(store, put):
    put(TAG, unit="u")
    envelope = store.waiting("u")[0]
    assert store.waiting("other") == []
    assert store.sealed_file("other", envelope.id) is None
    store.acknowledge("other", [envelope.id], today())
    assert store.waiting("u") == [envelope]


@pytest.mark.parametrize(
    "untrusted", ["", "..", "../x", "0" * 31, "0" * 33, "G" * 32, "0" * 32, "A" * 32, "0" * 32 + "\n"]
)
def test_a_name_that_is_no_blobs_gives_no_file(store, untrusted):
    assert store.sealed_file("u", untrusted) is None
    if untrusted != "0" * 32:
        with pytest.raises(ValueError, match="not a blob's name"):
            store.blobs.path(untrusted)


def test_waiting_is_given_in_pages_by_id(store, put):
    for _ in range(7):
        put()
    seen, after = [], ""
    while page := store.waiting("u", after, most=3):
        assert len(page) <= 3
        seen += [envelope.id for envelope in page]
        after = seen[-1]
    assert seen == sorted(set(seen))
    assert len(seen) == 7


def test_acknowledging_twice_keeps_the_first_day(store, put):
    put(TAG)
    envelope = store.waiting("u")[0]
    store.acknowledge("u", [envelope.id], today() - timedelta(days=7))
    store.acknowledge("u", [envelope.id], today())
    assert store.waiting("u") == []
    store.sweep(today() + timedelta(days=1), alone=True)
    assert not store.was_received(TAG)


def test_what_waits_again_stays_collected_for_its_reporter_and_is_kept_until_it_is_collected_again(
    store, put
):
    tag = put()
    [envelope] = store.waiting("u")
    store.acknowledge("u", [envelope.id], today())
    assert store.recall("u", today()) == 1
    assert store.waiting("u") == [envelope]
    assert store.mailbox([tag], []).sent == {tag: (today(), True)}
    assert not store.withdraw(tag)
    late = today() + 400 * DAY
    store.sweep(late, alone=True)
    assert store.waiting("u") == [envelope]
    store.acknowledge("u", [envelope.id], late)
    assert store.waiting("u") == []
    assert store.mailbox([tag], []).sent == {tag: (today(), True)}
    store.sweep(late + KEEP_COLLECTED, alone=True)
    assert store.was_received(tag)
    store.sweep(late + KEEP_COLLECTED + DAY, alone=True)
    assert not store.was_received(tag)
