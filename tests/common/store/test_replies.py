"""Reply slots: each takes one ciphertext; what can be posted and what is asked for tell nothing of deletions."""

import os
import threading
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from common.days import today
from common.report.padding import REPLY_CIPHERTEXT_BYTES
from common.store.models import ReplyRow
from common.store.values import KEEP_REPLIES, NoFreeSlot

SLOTS = [bytes([n]) * 16 for n in range(1, 256)]


def test_a_reply_takes_the_first_free_candidate(store):
    store.put_reply(SLOTS[:3], b"one", today())
    store.put_reply(SLOTS[:3], b"two", today())
    store.put_reply([SLOTS[1], SLOTS[5], SLOTS[0]], b"three", today())
    assert store.mailbox([], SLOTS).replies == {SLOTS[0]: b"one", SLOTS[1]: b"two", SLOTS[5]: b"three"}


def test_the_same_reply_again_takes_another_slot_whether_or_not_it_was_deleted(store):
    for deleted in (False, True):
        slots = SLOTS[3:6] if deleted else SLOTS[:3]
        for number in range(3):
            store.put_reply(slots, b"one", today())
            if deleted:
                store.overwrite_reply(slots[number], b"two")
        with pytest.raises(NoFreeSlot):
            store.put_reply(slots, b"one", today())
    assert set(store.mailbox([], SLOTS).replies) == set(SLOTS[:6])


def test_full_candidates_are_said_to_be_full_and_nothing_is_overwritten(store):
    for content in (b"one", b"two", b"three"):
        store.put_reply(SLOTS[:3], content, today())
    with pytest.raises(NoFreeSlot):
        store.put_reply(SLOTS[:3], b"four", today())
    with pytest.raises(NoFreeSlot):
        store.put_reply([], b"four", today())
    assert set(store.mailbox([], SLOTS).replies.values()) == {b"one", b"two", b"three"}


def test_many_at_once_never_share_a_slot_and_lose_nothing(store, another_process):
    """Two processes put replies at once, all with the same candidates."""
    start = threading.Barrier(8)

    def post(number):
        target = (store, another_process)[number % 2]
        start.wait(30)
        target.put_reply(SLOTS[:8], b"%d" % number, today())

    threads = [threading.Thread(target=post, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    kept = store.mailbox([], SLOTS).replies
    assert sorted(kept.values()) == [b"%d" % n for n in range(8)]


@pytest.fixture
def said_of(store):
    """What a courier is told that posts to these slots, the last of which are full."""

    def post(content, *slots):
        try:
            store.put_reply(slots, content, today())
        except NoFreeSlot:
            return "full"
        return "kept"

    return post


def test_whether_a_reply_was_deleted_is_not_told_by_what_can_be_posted(store, said_of):
    """Its unit knows the slots, may fill them, and may post what it likes: junk, or the reply once more."""
    reply, junk = os.urandom(REPLY_CIPHERTEXT_BYTES), os.urandom(REPLY_CIPHERTEXT_BYTES)
    for slot in SLOTS[1:3]:
        store.put_reply([slot], os.urandom(REPLY_CIPHERTEXT_BYTES), today())
    store.put_reply(SLOTS[:1], reply, today())

    def seen():
        return [said_of(content, *slots) for content in (junk, reply) for slots in (SLOTS[:1], SLOTS[:3])]

    before = seen()
    for _ in range(2):
        store.overwrite_reply(SLOTS[0], os.urandom(REPLY_CIPHERTEXT_BYTES))
        assert seen() == before


def test_of_an_overwritten_reply_nothing_is_left_but_a_row_of_the_same_day(store):
    reply, other = os.urandom(REPLY_CIPHERTEXT_BYTES), os.urandom(REPLY_CIPHERTEXT_BYTES)
    day = today() - timedelta(days=30)
    store.put_reply(SLOTS[:1], reply, day)
    store.overwrite_reply(SLOTS[0], other)
    store.overwrite_reply(SLOTS[9], other)  # nothing there, and nothing comes of it
    with store.reading() as connection:
        rows = connection.execute(
            select(ReplyRow.tag, ReplyRow.ciphertext, ReplyRow.day, ReplyRow.expires)
        ).all()
    assert rows == [(SLOTS[0], other, day, day + KEEP_REPLIES)]
    store.sweep(day + KEEP_REPLIES, alone=False)
    assert store.mailbox([], SLOTS).replies
    store.sweep(day + KEEP_REPLIES + timedelta(days=1), alone=False)
    assert not store.mailbox([], SLOTS).replies


def test_asking_for_a_mailbox_is_two_queries_whatever_there_is(store, put):
    statements = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def _note(connection, cursor, statement, parameters, context, executemany):
        statements.append((statement, len(parameters)))

    asked = [os.urandom(16) for _ in range(384)]
    store.mailbox(asked[:256], asked)
    empty = list(statements)
    for tag in asked[:40]:
        put(tag, header=tag)
    put(header=asked[-1])
    statements.clear()
    box = store.mailbox(asked[:256], asked)
    assert (len(box.sent), len(box.replies)) == (40, 41)
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
