"""Reply slots: each takes one ciphertext, the same ciphertext is kept once, and asking tells nothing."""

import os
import threading
from datetime import timedelta

import pytest
from sqlalchemy import event

from common.days import today
from common.padding import REPLY_CIPHERTEXT_BYTES
from common.store.kept import KEEP_REPLIES, NoFreeSlot

SLOTS = [bytes([n]) * 16 for n in range(1, 256)]


def test_a_reply_takes_the_first_free_candidate(store):
    store.post_reply(SLOTS[:3], b"one", today())
    store.post_reply(SLOTS[:3], b"two", today())
    store.post_reply([SLOTS[1], SLOTS[5], SLOTS[0]], b"three", today())
    assert store.mailbox([], SLOTS).replies == {SLOTS[0]: b"one", SLOTS[1]: b"two", SLOTS[5]: b"three"}


def test_the_same_reply_twice_is_kept_once(store):
    for _ in range(3):
        store.post_reply(SLOTS[:3], b"one", today())
    assert store.mailbox([], SLOTS).replies == {SLOTS[0]: b"one"}


def test_full_candidates_are_said_to_be_full_and_nothing_is_overwritten(store):
    for content in (b"one", b"two", b"three"):
        store.post_reply(SLOTS[:3], content, today())
    with pytest.raises(NoFreeSlot):
        store.post_reply(SLOTS[:3], b"four", today())
    with pytest.raises(NoFreeSlot):
        store.post_reply([], b"four", today())
    assert set(store.mailbox([], SLOTS).replies.values()) == {b"one", b"two", b"three"}


def test_couriers_at_once_never_share_a_slot_and_lose_nothing(store, another_process):
    """Every reply is posted by both processes at once, all with overlapping candidates."""
    start = threading.Barrier(16)
    full = []

    def post(number):
        target = (store, another_process)[number % 2]
        content = b"%d" % (number // 2)
        start.wait(30)
        try:
            target.post_reply(SLOTS[:10], content, today())
        except NoFreeSlot:
            full.append(content)

    threads = [threading.Thread(target=post, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    kept = store.mailbox([], SLOTS).replies
    assert full == []
    assert sorted(kept.values()) == [b"%d" % n for n in range(8)]


MARK = b"m" * 16


@pytest.fixture
def said_of(store):
    """What a courier is told that posts to these slots, the last of which are full."""

    def post(content, *slots):
        try:
            store.post_reply(slots, content, today())
        except NoFreeSlot:
            return "full"
        return "kept"

    return post


def test_whether_a_reply_was_deleted_is_not_told_by_what_can_be_posted(store, said_of):
    """Its unit knows the slots, may fill them, and may post what it likes: junk, or the reply once more."""
    reply, junk = os.urandom(REPLY_CIPHERTEXT_BYTES), os.urandom(REPLY_CIPHERTEXT_BYTES)
    for slot in SLOTS[1:3]:
        store.post_reply([slot], os.urandom(REPLY_CIPHERTEXT_BYTES), today())
    store.post_reply(SLOTS[:1], reply, today())

    def seen():
        return [said_of(content, *slots) for content in (junk, reply) for slots in (SLOTS[:1], SLOTS[:3])]

    before = seen()
    for _ in range(2):
        store.delete_reply(SLOTS[0], MARK)
        assert seen() == before


def test_of_a_deleted_reply_nothing_is_left_but_a_row_of_the_same_size_and_day(store):
    reply, day = os.urandom(REPLY_CIPHERTEXT_BYTES), today() - timedelta(days=5)
    store.post_reply(SLOTS[:1], reply, day)
    store.post_reply(SLOTS[1:2], os.urandom(REPLY_CIPHERTEXT_BYTES), day)
    for slot in (*SLOTS[:2], SLOTS[9]):  # in the last there is nothing
        store.delete_reply(slot, MARK)
    found = store.mailbox([], SLOTS)
    assert found.posted == dict.fromkeys(SLOTS[:2], day)
    left, other = (found.replies[slot] for slot in SLOTS[:2])
    assert len(left) == len(reply)
    assert left.startswith(MARK)
    # Wherever it is shifted to; and as random as what it was, so that it tells of no other.
    written = {left[at : at + 8] for at in range(len(MARK), len(left) - 7)}
    assert len(written) == len(left) - len(MARK) - 7
    assert written.isdisjoint(reply[at : at + 8] for at in range(len(reply) - 7))
    assert written.isdisjoint(other[at : at + 8] for at in range(len(MARK), len(other) - 7))
    store.sweep(day + KEEP_REPLIES, alone=False)
    assert len(store.mailbox([], SLOTS).replies) == 2
    store.sweep(day + KEEP_REPLIES + timedelta(days=1), alone=False)
    assert not store.mailbox([], SLOTS).replies


def test_asking_for_a_mailbox_is_two_queries_whatever_there_is(store, put):
    statements = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def _note(connection, cursor, statement, parameters, context, executemany):
        statements.append((statement, len(parameters)))

    asked = [os.urandom(16) for _ in range(256)]
    store.mailbox(asked, asked)
    empty = list(statements)
    for tag in asked[:40]:
        put(tag, header=tag)
    statements.clear()
    assert len(store.mailbox(asked, asked).replies) == 40
    assert statements == empty
    assert len(statements) == 2


def test_what_was_found_does_not_print(store, put):
    put(b"t" * 16, header=b"h" * 16)
    assert "tttt" not in repr(store.mailbox([b"t" * 16], [b"h" * 16]))


def test_a_visit_walks_no_table_from_end_to_end(store):
    asked = []
    event.listen(store.engine, "before_cursor_execute", lambda *said: asked.append(said[2:4]))
    store.mailbox(SLOTS, SLOTS)
    assert len(asked) == 2
    with store.engine.connect() as connection:
        for statement, parameters in asked[:2]:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            steps = [row[-1] for row in plan]
            assert any(step.startswith(("SEARCH envelope", "SEARCH reply")) for step in steps), steps
            assert not any(step.startswith(("SCAN envelope", "SCAN reply")) for step in steps), steps
