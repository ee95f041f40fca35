"""Killed at the worst moment: afterwards there is no row without its blob, and after a sweep no blob without a row."""

import multiprocessing
import os
import signal
import sys

import pytest
from sqlalchemy import select

from common.days import today
from common.store.database import open_store
from common.store.models import EnvelopeRow
from common.store.values import Envelope, Sent, State

pytestmark = pytest.mark.slow

TAG = b"t" * 16

PROGRAM = """
import os
import sys
from pathlib import Path
from sqlalchemy import event
from common.days import today
from common.store.blobs import BlobFolder
from common.store.database import open_store
from common.store.values import Addressed, SealedReply

folder, moment, twice = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "2"
TAG = b"t" * 16

def wait_to_be_killed(*_):
    print("now", flush=True)
    sys.stdin.read()

class Blobs(BlobFolder):
    def delete(self, blob_id):
        wait_to_be_killed()

store = open_store(f"sqlite:///{folder / 'candour.sqlite'}", folder / "blobs")
presence = store.blobs.enter()
presence.share()

def write(outputs):
    for output in outputs:
        os.write(output, b"sealed")
    if moment == "before the blob is in place":
        wait_to_be_killed()

def accept():
    also = [Addressed(b"s" * 16, "overseer")] if twice else []
    header = SealedReply(b"h" * 16, b"x")
    store.receive([Addressed(TAG, "u"), *also], header, today(), write)

if moment == "before the row is written":
    @event.listens_for(store.engine, "before_cursor_execute")
    def _(connection, cursor, statement, *_):
        if statement.startswith("INSERT INTO envelope"):
            wait_to_be_killed()
elif moment == "between the two blobs":
    commit, committed = store.blobs.commit, []
    def commit_one(*arguments):
        if committed:
            wait_to_be_killed()
        committed.append(1)
        return commit(*arguments)
    store.blobs.commit = commit_one
elif moment == "before the rows are committed":
    event.listen(store.engine, "commit", wait_to_be_killed)
accept()
if moment == "before a withdrawn blob is deleted":
    store.blobs.__class__ = Blobs
    store.withdraw(TAG)
wait_to_be_killed()
"""


def known(store):
    """The ids of all envelopes, in their order."""
    with store.engine.connect() as connection:
        return list(connection.execute(select(EnvelopeRow.id).order_by(EnvelopeRow.id)).scalars())


def _run(program, arguments, said):
    """In a process of its own, which has imported already what the program needs."""
    sys.argv = ["-c", *map(str, arguments)]
    sys.stdout = os.fdopen(said, "w")
    sys.stdin, _never_written = map(os.fdopen, os.pipe(), "rw")
    exec(program, {"__name__": "__main__"})  # noqa: S102


def run_and_kill(program, *arguments):
    """Run a program, and kill it when it says that now is the moment."""
    here, there = os.pipe()
    forked = multiprocessing.get_context("fork")
    process = forked.Process(target=_run, args=(program, arguments, there))
    process.start()
    os.close(there)
    with os.fdopen(here) as said:
        assert said.readline() == "now\n"
        process.kill()
        process.join(30)
    assert process.exitcode == -signal.SIGKILL


@pytest.fixture
def killed_at(folder):
    """Runs the program, kills it at a moment, and opens what it leaves. `copies`: 1 or 2 of the message."""
    opened = []

    def kill(moment, copies):
        run_and_kill(PROGRAM, folder, moment, str(copies))
        store = open_store(f"sqlite:///{folder / 'candour.sqlite'}", folder / "blobs")
        presence = store.blobs.enter()
        opened.append((store, presence))
        assert presence.alone  # the lock went with the process
        return store

    yield kill
    for store, presence in opened:
        presence.leave()
        store.engine.dispose()


@pytest.mark.parametrize(
    ("moment", "kept", "blobs"),
    [
        ("before the blob is in place", False, 1),
        ("before the row is written", False, 1),
        ("before the rows are committed", False, 1),
        ("after all", True, 1),
        ("before a withdrawn blob is deleted", False, 1),
    ],
)
def test_killed_midway_leaves_no_row_without_blob_and_no_blob_without_row(
    killed_at, blob_files, moment, kept, blobs
):
    store = killed_at(moment, copies=1)
    assert len(blob_files()) == blobs
    assert store.was_received(TAG) is kept
    assert len(store.mailbox([TAG], [b"h" * 16]).replies) == (
        moment in ("after all", "before a withdrawn blob is deleted")
    )
    store.sweep(today(), alone=True)
    rows = [store.blobs._path(blob_id) for blob_id in known(store)]
    assert blob_files() == rows
    assert len(rows) == kept
    assert all(path.read_bytes() == b"sealed" for path in rows)


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("before the blob is in place", 0),
        ("between the two blobs", 0),
        ("before the row is written", 0),
        ("before the rows are committed", 0),
        ("after all", 1),
    ],
)
def test_of_a_message_sealed_twice_both_copies_are_left_or_none(killed_at, blob_files, moment, kept):
    store = killed_at(moment, copies=2)
    store.sweep(today(), alone=True)
    assert len(known(store)) == len(blob_files()) == 2 * kept
    assert store.was_received(TAG) is store.was_received(b"s" * 16) is bool(kept)


SETTLEMENT = """
import sys
from pathlib import Path
from sqlalchemy import event
from common.days import today
from common.registry.registry import Registry
from common.store.blobs import BlobFolder
from common.store.inbox import Inbox
from common.store.database import open_store
from common.store.outbox import Outbox
from common.store.settlement import Settlement
from common.store.delivered import UnitFolder
from common.registry.units import Status, Unit, UnitKind
from common.config import Limits

folder, moment, keys = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]

def wait_to_be_killed(*_):
    print("now", flush=True)
    sys.stdin.read()

def before(owner, name, when=lambda *_: True):
    real = getattr(owner, name)
    def replaced(*arguments, **named):
        if when(*arguments):
            wait_to_be_killed()
        return real(*arguments, **named)
    setattr(owner, name, replaced)

store = open_store(f"sqlite:///{folder / 'candour.sqlite'}", folder / "blobs")

def before_statement(begin):
    @event.listens_for(store.engine, "before_cursor_execute")
    def _(connection, cursor, statement, *_):
        if statement.startswith(begin):
            wait_to_be_killed()

is_forward = lambda _, name: name.startswith("ffff")
MOMENTS = {
    "before a receipt is noted": lambda: before_statement("UPDATE envelope"),
    "before answers are committed": lambda: before_statement("INSERT INTO returned"),
    "before answers that were taken are deleted": lambda: before(UnitFolder, "delete"),
    "before it is forgotten which": lambda: before(UnitFolder, "blur"),
    "before the row of what is passed on": lambda: before_statement("INSERT INTO envelope"),
    "before what was passed on is deleted": lambda: before(UnitFolder, "delete", is_forward),
    "before a withdrawn blob is deleted": lambda: before(BlobFolder, "delete"),
    "before what is new is shown": lambda: before(BlobFolder, "show"),
    "after what is new is listed": lambda: before(BlobFolder, "touch_all"),
    "before the listing is in place": lambda: before(Path, "rename", lambda path, _: "listing" in path.name),
}
MOMENTS[moment]()
units = tuple(
    Unit(name, name, UnitKind.UNIT, Status.ENROLLED, (), "c", "F" * 40, bytes.fromhex(key), {})
    for name, key in zip(("u", "other"), keys)
)
limits = Limits(keep_free_bytes=0, reserve_for_reports_bytes=0)
registry = Registry(1, today(), today(), (), units)
outbox = Outbox(folder / "outbox", folder / "blobs")
Settlement(store, Inbox(folder / "inbox"), outbox, registry, limits).run("2026-11-28T18")
wait_to_be_killed()
"""

SETTLING = (
    "before a receipt is noted",
    "before answers are committed",
    "before answers that were taken are deleted",
    "before it is forgotten which",
    "before the row of what is passed on",
    "before what was passed on is deleted",
    "before a withdrawn blob is deleted",
    "before what is new is shown",
    "after what is new is listed",
    "before the listing is in place",
)


@pytest.mark.parametrize("moment", SETTLING)
def test_a_settlement_that_is_killed_leaves_the_listing_and_the_next_one_ends_it(
    store, put, settle, inbox, outbox, desk, other_desk, forward, blob_files, folder, moment
):
    """Nothing is lost, and no answer is taken twice."""
    held, withdrawn, new = b"1" * 16, b"2" * 16, b"3" * 16
    slots = [bytes([n]) * 16 for n in range(1, 7)]
    put(held, content=b"held")
    put(withdrawn, content=b"withdrawn")
    settle("2026-11-28T12")
    before = outbox.waiting("u")
    ids = {envelope.size: envelope.id for envelope in before}
    put(new, content=b"new")
    store.withdraw(withdrawn)
    inbox.put_post("u", desk.receipts({ids[4]: b"held"}))
    inbox.put_post("u", desk.reply(*slots[:3]))
    inbox.put_post("u", desk.reply(*slots[3:]))
    passed_on = forward(desk, b"passed on", "other")
    keys = [one.unit.reply_key.hex() for one in (desk, other_desk)]
    run_and_kill(SETTLEMENT, folder, moment, *keys)

    assert (outbox.settled_hour(), outbox.waiting("u")) == ("2026-11-28T12", before)
    settle()
    box = store.mailbox([held, withdrawn, new], slots)
    assert box.sent == {held: Sent(today(), State.HELD), new: Sent(today(), State.LISTED)}
    assert set(box.replies) == {slots[0], slots[3]}
    assert outbox.settled_hour() == "2026-11-28T18"
    assert [envelope.size for envelope in outbox.waiting("u")] == [3]
    assert outbox.waiting("other") == [Envelope(passed_on, today(), 9)]
    assert outbox.open("other", passed_on).read() == b"passed on"
    assert outbox.returned("u") == []
    assert [file for file in inbox.root.rglob("*") if file.is_file()] == []
    assert list((folder / "outbox").iterdir()) == [folder / "outbox" / "listing.sqlite"]
    store.sweep(today(), alone=True)
    assert [file.name for file in blob_files()] == known(store)
    assert sorted(file.read_bytes() for file in blob_files()) == [b"held", b"new", b"passed on"]
