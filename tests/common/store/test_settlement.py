"""The settlement: what couriers delivered counts from the settled hour on, once, and all of it together."""

import os
from datetime import timedelta

import pytest
from sqlalchemy import event

from common.config import Limits
from common.days import today
from common.envelope_id import is_forwarded_id, new_id
from common.registry.units import Status
from common.store.arrivals import KEEP_UNFINISHED
from common.store.inbox import AHEAD, MOST_FORWARDS, MOST_POSTS, OLDEST
from common.store.models import TAKEN
from common.store.returned import MOST_RETURNED
from common.store.set_aside import set_aside_under
from common.store.sweep import WrongDatabase
from common.store.values import KEEP_RETURNED, Envelope, Returned, Sent, State
from common.transport import post
from tests.common.store.conftest import ROOM, Desk

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
SLOTS = [bytes([n]) * 16 for n in range(1, 9)]
TAG = b"t" * 16


def lying(inbox, unit="u"):
    """The names in a unit's folder."""
    folder = inbox.root / unit
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


# What is shown.


def test_nothing_is_shown_before_the_settled_hour_and_all_of_it_then(put, settle, outbox):
    assert (outbox.settled_hour(), outbox.waiting("u"), outbox.returned("u")) == (None, [], [])
    settle("2026-11-28T12")
    for _ in range(3):
        put()
    assert (outbox.settled_hour(), outbox.waiting("u")) == ("2026-11-28T12", [])
    settle()
    assert outbox.settled_hour() == "2026-11-28T18"
    assert len(outbox.waiting("u")) == 3


def test_the_listing_is_as_it_was_until_a_settlement_ends(store, put, settle, outbox, monkeypatch):
    put()
    settle("2026-11-28T12")
    before = outbox.waiting("u")
    put()
    monkeypatch.setattr(store.blobs, "touch_all", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        settle()
    assert (outbox.settled_hour(), outbox.waiting("u")) == ("2026-11-28T12", before)
    monkeypatch.undo()
    settle()
    assert len(outbox.waiting("u")) == 2


def test_a_database_that_knows_of_nothing_is_refused_before_anything_is_taken_in(
    store, put, settle, inbox, outbox, desk, forward
):
    for _ in range(33):
        put(day=today() - 9 * DAY)
    with store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM envelope")
    forward(desk, b"sealed", "other")
    with pytest.raises(WrongDatabase):
        settle()
    assert len(lying(inbox)) == 2
    assert outbox.settled_hour() is None


# Answers.


def test_an_answer_lies_in_its_slot_after_the_settled_hour_and_its_post_is_gone_from_everywhere(
    store, settle, inbox, outbox, desk
):
    inbox.put_post("u", desk.reply(*SLOTS[:3], content=b"one"))
    assert store.mailbox([], SLOTS).replies == {}
    settle()
    assert list(store.mailbox([], SLOTS).replies) == [SLOTS[0]]
    assert lying(inbox) == []
    assert outbox.returned("u") == []
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM returned").all() == []


def test_an_answer_for_which_there_is_no_place_is_returned_to_its_unit_alone(
    store, settle, inbox, outbox, desk
):
    for slot in SLOTS[:3]:
        store.put_reply([slot], b"x", today())
    document = desk.reply(*SLOTS[:3])
    inbox.put_post("u", document)
    settle()
    returned = [Returned(post.identity(document), "no-place")]
    assert (outbox.returned("u"), outbox.returned("other")) == (returned, [])
    store.sweep(today() + KEEP_RETURNED, alone=True)
    settle()
    assert outbox.returned("u") == returned
    store.sweep(today() + KEEP_RETURNED + DAY, alone=True)
    settle()
    assert outbox.returned("u") == []


def test_what_was_returned_and_comes_again_where_there_is_a_place_is_no_longer_called_returned(
    store, settle, inbox, outbox, desk
):
    document = desk.reply(*SLOTS[:3])
    for slot in SLOTS[:3]:
        store.put_reply([slot], b"x", today())
    inbox.put_post("u", document)
    settle()
    store.sweep(today() + 366 * DAY, alone=True)
    with store.writing() as connection:  # nothing expired but the replies
        connection.exec_driver_sql(
            "INSERT INTO returned VALUES ('u', ?, 'no-place', ?)",
            (post.identity(document), today().isoformat()),
        )
    inbox.put_post("u", document)
    settle()
    assert outbox.returned("u") == []
    assert len(store.mailbox([], SLOTS).replies) == 1


def test_posts_of_one_unit_do_nothing_to_those_of_another(store, settle, inbox, outbox, desk, other_desk):
    for signer in (desk, other_desk):
        inbox.put_post(signer.unit.id, signer.reply(*SLOTS[:3]))
    inbox.put_post("u", other_desk.reply(*SLOTS[3:6]))  # another's courier delivers it
    settle()
    assert set(store.mailbox([], SLOTS).replies) == set(SLOTS[:2])
    assert [one.why for one in outbox.returned("u")] == ["refused"]
    assert outbox.returned("other") == []


@pytest.mark.parametrize(
    ("age", "taken"), [(OLDEST, True), (OLDEST + DAY, False), (-AHEAD, True), (-AHEAD - DAY, False)]
)
def test_what_was_signed_too_long_ago_or_on_a_day_to_come_is_returned(
    store, settle, inbox, outbox, desk, age, taken
):
    document = desk.reply(*SLOTS[:3], day=today() - age)
    inbox.put_post("u", document)
    settle()
    assert bool(store.mailbox([], SLOTS).replies) is taken
    refused = [] if taken else [Returned(post.identity(document), "refused")]
    assert outbox.returned("u") == refused


def test_one_changed_byte_is_no_answer(store, settle, inbox, outbox, desk):
    document = bytearray(desk.reply(*SLOTS[:3]))
    document[document.index(b'"ciphertext":"') + 20] ^= 1
    inbox.put_post("u", bytes(document))
    settle()
    assert store.mailbox([], SLOTS).replies == {}
    assert [one.why for one in outbox.returned("u")] == ["refused"]


def test_of_many_posts_as_many_as_may_be_are_taken_and_the_rest_at_the_next_settled_hour(
    store, settle, inbox, desk
):
    folder = inbox.root / "u"
    inbox.put_post("u", desk.reply())
    for number in range(MOST_POSTS + 9):
        document = desk.receipts({f"{number:032x}": b"x"})
        (folder / post.identity(document)).write_bytes(document)
    settle()
    assert len(lying(inbox)) == 10
    settle()
    assert lying(inbox) == []


def test_no_more_is_kept_of_what_was_returned_than_a_bound(store, settle, inbox, outbox, desk):
    with store.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO returned VALUES ('u', ?, 'refused', ?)",
            [(f"{number:032x}", today().isoformat()) for number in range(MOST_RETURNED)],
        )
    inbox.put_post("u", desk.reply(day=today() - 99 * DAY))
    settle()
    assert len(outbox.returned("u")) == MOST_RETURNED
    assert lying(inbox) == []


# Receipts.


def test_what_the_desk_says_that_it_holds_is_held_and_what_it_holds_otherwise_is_not(
    store, put, settle, inbox, outbox, desk
):
    tags = [put(content=b"one"), put(content=b"another")]
    settle()
    listed = {one.size: one.id for one in outbox.waiting("u")}
    inbox.put_post("u", desk.receipts({listed[3]: b"one", listed[7]: b"an altered", "0" * 32: b"none"}))
    assert {sent.state for sent in store.mailbox(tags, []).sent.values()} == {State.LISTED}
    settle()
    assert store.mailbox(tags, []).sent == {
        tags[0]: Sent(today(), State.HELD),
        tags[1]: Sent(today(), State.LISTED),
    }
    assert [one.id for one in outbox.waiting("u")] == [listed[7]]
    assert (lying(inbox), outbox.returned("u")) == ([], [])


def test_a_receipt_of_another_unit_or_for_what_was_not_listed_changes_nothing(
    store, put, settle, inbox, outbox, other_desk, desk, blob_files
):
    tag = put(content=b"sealed")
    [new] = blob_files()
    inbox.put_post("u", desk.receipts({new.name: b"sealed"}))  # guessed, before it is listed
    settle()
    inbox.put_post("other", other_desk.receipts({new.name: b"sealed"}))
    inbox.put_post("u", other_desk.receipts({new.name: b"sealed"}))
    settle()
    assert store.mailbox([tag], []).sent == {tag: Sent(today(), State.LISTED)}
    assert len(outbox.waiting("u")) == 1


def test_what_was_withdrawn_and_is_held_all_the_same_is_said_to_be_held(
    store, put, settle, inbox, outbox, desk
):
    tag = put(content=b"sealed")
    settle()
    store.withdraw(tag)
    inbox.put_post("u", desk.receipts({outbox.waiting("u")[0].id: b"sealed"}))
    settle()
    assert store.mailbox([tag], []).sent == {tag: Sent(today(), State.HELD)}


# Envelopes passed on.


def test_an_envelope_passed_on_is_listed_for_the_other_unit(store, settle, inbox, outbox, desk, forward):
    identity = forward(desk, b"sealed anew", "other")
    settle()
    assert outbox.waiting("other") == [Envelope(identity, today(), 11)]
    assert outbox.waiting("u") == []
    assert is_forwarded_id(identity)
    assert outbox.open("other", identity).read() == b"sealed anew"
    assert lying(inbox) == []
    assert outbox.returned("u") == []


def test_passed_on_again_it_is_there_once_and_still_the_other_unit_s(
    store, settle, inbox, outbox, desk, other_desk, forward
):
    for _ in range(2):
        identity = forward(desk, b"sealed anew", "other")
        settle()
    forward(other_desk, b"sealed anew", "u")
    settle()
    assert [one.id for one in outbox.waiting("other")] == [identity]
    assert outbox.waiting("u") == []
    assert outbox.returned("other") == [Returned(identity, "refused")]


def test_once_its_row_is_gone_nothing_else_comes_under_its_id(store, settle, inbox, outbox, desk, forward):
    """A unit that forwards, waits until the envelope is deleted, and forwards other content under the same id."""
    identity = forward(desk, b"genuine", "other")
    settle()
    with store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM envelope")
    _, slip = desk.slip(b"forged!", "other", id=identity)
    inbox.begin("u", identity, slip)
    (inbox.root / "u" / identity).write_bytes(b"forged!")
    settle()
    assert outbox.waiting("other") == []
    assert lying(inbox) == []


@pytest.mark.parametrize(
    "wrong", ["to nobody", "to itself", "to a suspended unit", "by another", "too old", "too large"]
)
def test_a_slip_that_does_not_count_is_returned(settle, inbox, outbox, desk, other_desk, wrong):
    suspended = Desk("sus", Status.SUSPENDED)
    content, limits = b"sealed", ROOM
    slips = {
        "to nobody": lambda: desk.slip(content, "nobody"),
        "to itself": lambda: desk.slip(content, "u"),
        "to a suspended unit": lambda: desk.slip(content, "sus"),
        "by another": lambda: other_desk.slip(content, "other"),
        "too old": lambda: desk.slip(content, "other", day=today() - OLDEST - DAY),
        "too large": lambda: desk.slip(content, "other", size=ROOM.largest_sealed_bytes + 1),
    }
    identity, slip = slips[wrong]()
    inbox.begin("u", identity, slip)
    (inbox.root / "u" / identity).write_bytes(content)
    settle(limits=limits, units=(desk.unit, other_desk.unit, suspended.unit))
    assert outbox.returned("u") == [Returned(identity, "refused")]
    assert outbox.waiting("other") == outbox.waiting("u") == outbox.waiting("sus") == []
    assert lying(inbox) == []


def test_of_many_envelopes_as_much_as_may_be_is_taken_and_the_rest_at_the_next_settled_hour(
    settle, inbox, outbox, desk, forward
):
    limits = Limits(keep_free_bytes=0, reserve_for_reports_bytes=0, max_report_bytes=0)
    size = limits.largest_sealed_bytes // 3 + 1
    for number in range(3):
        forward(desk, bytes([number]) * size, "other")
    settle(limits=limits)
    assert len(outbox.waiting("other")) == 2
    settle(limits=limits)
    assert len(outbox.waiting("other")) == 3
    for number in range(MOST_FORWARDS + 1):
        forward(desk, b"%d" % number, "other")
    settle()
    assert len(lying(inbox)) == 2
    settle()
    assert len(outbox.waiting("other")) == MOST_FORWARDS + 4


def test_what_has_begun_to_arrive_waits_a_week_for_its_courier(settle, inbox, desk):
    identity, slip = desk.slip(b"sealed", "other")
    inbox.begin("u", identity, slip)
    inbox.append("u", identity, 0, b"sea")
    settle()
    assert inbox.have("u", identity) == 3
    for age, left in ((KEEP_UNFINISHED, 2), (KEEP_UNFINISHED + DAY, 0)):
        for file in (inbox.root / "u").iterdir():
            old = file.stat().st_mtime - age.total_seconds()
            os.utime(file, (old, old))
        settle()
        assert len(lying(inbox)) == left
        for file in (inbox.root / "u").iterdir():
            young = file.stat().st_mtime + age.total_seconds()
            os.utime(file, (young, young))


# Units.


def test_of_a_unit_that_is_suspended_nothing_is_taken_and_what_lies_there_is_deleted(
    store, put, settle, inbox, outbox, desk, other_desk, forward, caplog
):
    tag = put(content=b"sealed")
    settle()
    [envelope] = outbox.waiting("u")
    inbox.put_post("u", desk.reply(*SLOTS[:3]))
    inbox.put_post("u", desk.receipts({envelope.id: b"sealed"}))
    forward(desk, b"sealed", "other")
    settle(units=(Desk("u", Status.SUSPENDED).unit, other_desk.unit))
    assert store.mailbox([tag], SLOTS).replies == {}
    assert store.mailbox([tag], []).sent[tag].state is State.LISTED
    assert outbox.waiting("other") == []
    assert not (inbox.root / "u").exists()
    assert caplog.messages == []


def test_what_a_unit_delivered_before_it_was_suspended_is_returned_to_it(
    settle, inbox, outbox, desk, other_desk, forward, caplog
):
    reply, receipts = desk.reply(*SLOTS[:3]), desk.receipts({"0" * 32: b"sealed"})
    for document in (reply, receipts):
        inbox.put_post("u", document)
    passed_on = forward(desk, b"sealed", "other")
    unfinished, slip = desk.slip(b"not all of it", "other")
    inbox.begin("u", unfinished, slip)
    settle(units=(Desk("u", Status.SUSPENDED).unit, other_desk.unit))
    assert not (inbox.root / "u").exists()
    settle()  # it is enrolled again
    names = sorted([post.identity(reply), post.identity(receipts), passed_on])
    assert outbox.returned("u") == [Returned(name, "refused") for name in names]
    assert outbox.waiting("other") == []
    assert caplog.messages == []


def test_what_was_taken_before_its_unit_was_suspended_is_not_called_returned(
    store, settle, inbox, outbox, desk, other_desk
):
    """A settlement was killed after it had put the answer into its slot, and before it deleted the post."""
    document = desk.reply(*SLOTS[:3])
    inbox.put_post("u", document)
    with store.writing() as connection:
        row = post.identity(document), TAKEN, today().isoformat()
        connection.exec_driver_sql("INSERT INTO returned VALUES ('u', ?, ?, ?)", row)
    settle(units=(Desk("u", Status.SUSPENDED).unit, other_desk.unit))
    settle()
    assert outbox.returned("u") == []


def test_withdrawn_envelopes_are_deleted_and_not_set_aside(store, put, settle, outbox, folder, blob_files):
    tags = [put() for _ in range(20)]
    settle()
    for tag in tags:
        store.withdraw(tag)
    settle()
    assert blob_files() == []
    assert set_aside_under(folder / "blobs") == []


def test_the_work_of_a_settlement_does_not_grow_but_with_what_is_listed(store, settle, outbox):
    """As many statements for a thousand as for ten: what grows is the listing."""
    statements = []
    event.listen(store.engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    counted = []
    for number in (10, 1000):
        rows = [(new_id(), os.urandom(16), "u", today().isoformat(), 1, "listed") for _ in range(number)]
        with store.writing() as connection:
            connection.exec_driver_sql(
                "INSERT INTO envelope (id, receipt_tag, unit, day, padded_size, state) VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
        statements.clear()
        settle()
        counted.append(len(statements))
    assert counted[0] == counted[1]
    assert len(outbox.waiting("u", most=2000)) == 1010


@pytest.mark.parametrize("what", ["what is listed", "what is new", "what is withdrawn", "what is held"])
def test_a_settlement_looks_up_what_it_asks_for(store, settle, what):
    """By an index: it walks through no table to find the few that it wants."""
    asked = []
    event.listen(store.engine, "before_cursor_execute", lambda *said: asked.append(said[2:4]))
    settle()
    state = what.rpartition(" ")[2]
    found = [one for one in asked if "envelope.state = ?" in one[0] and state in one[1]]
    assert found
    with store.engine.connect() as connection:
        for statement, parameters in found:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            steps = " ".join(row[-1] for row in plan)
            assert "ix_envelope_state" in steps, steps
            assert "SCAN" not in steps, steps
            assert "TEMP B-TREE" not in steps, steps
