"""Killed at the worst moment: afterwards there is no row without its blob, and after a sweep no blob without a row."""

import os
import signal
import subprocess
import sys

import pytest

from common.days import today
from common.store.opening import open_store

TAG = b"t" * 16

PROGRAM = """
import sys
from pathlib import Path
from sqlalchemy import event
from common.days import today
from common.store.blobs import BlobFolder
from common.store.opening import open_store
from common.store.kept import Copy, SealedReply

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

def accept():
    with store.blobs.pending() as blob, store.blobs.pending() as second:
        blob.path.write_bytes(b"sealed")
        if twice:
            second.path.write_bytes(b"sealed")
        if moment == "before the blob is in place":
            wait_to_be_killed()
        also = Copy(second, b"s" * 16, "overseer") if twice else None
        header = SealedReply(b"h" * 16, b"x")
        store.accept(blob, receipt_tag=TAG, unit="u", day=today(), header=header, second=also)

if moment == "before the row is written":
    @event.listens_for(store.engine, "before_cursor_execute")
    def _(connection, cursor, statement, *_):
        if statement.startswith("INSERT INTO envelope"):
            wait_to_be_killed()
elif moment == "between the two blobs":
    publish, published = store.blobs.publish, []
    def publish_one(*arguments):
        if published:
            wait_to_be_killed()
        published.append(1)
        return publish(*arguments)
    store.blobs.publish = publish_one
elif moment == "before the rows are committed":
    event.listen(store.engine, "commit", wait_to_be_killed)
accept()
if moment == "before a withdrawn blob is deleted":
    store.blobs.__class__ = Blobs
    store.withdraw(TAG)
wait_to_be_killed()
"""


@pytest.fixture
def killed_at(folder):
    """Runs the program, kills it at a moment, and opens what it leaves. `copies`: 1 or 2 of the message."""
    opened = []

    def kill(moment, copies):
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, folder, moment, str(copies)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "now\n"
            os.kill(process.pid, signal.SIGKILL)
            process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL
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
    rows = [store.blobs.path(envelope.id) for envelope in store.waiting("u")]
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
    rows = [store.waiting(unit) for unit in ("u", "overseer")]
    assert [len(found) for found in rows] == [kept, kept]
    assert len(blob_files()) == 2 * kept
    assert store.was_received(TAG) is store.was_received(b"s" * 16) is bool(kept)
