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
from common.store.repository import SealedReply

folder, moment = Path(sys.argv[1]), sys.argv[2]
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
    with store.blobs.pending() as blob:
        blob.path.write_bytes(b"sealed")
        if moment == "before the blob is in place":
            wait_to_be_killed()
        store.accept(blob, receipt_tag=TAG, unit="u", day=today(), header=SealedReply(b"h" * 16, b"x"))

if moment == "before the row is written":
    @event.listens_for(store.engine, "before_cursor_execute")
    def _(connection, cursor, statement, *_):
        if statement.startswith("INSERT INTO envelope"):
            wait_to_be_killed()
elif moment == "before the rows are committed":
    event.listen(store.engine, "commit", wait_to_be_killed)
accept()
if moment == "before a withdrawn blob is deleted":
    store.blobs.__class__ = Blobs
    store.withdraw(TAG)
wait_to_be_killed()
"""


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
    folder, blob_files, moment, kept, blobs
):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, folder, moment],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert len(blob_files()) == blobs

    store = open_store(f"sqlite:///{folder / 'candour.sqlite'}", folder / "blobs")
    presence = store.blobs.enter()
    assert presence.alone  # the lock went with the process
    assert store.was_received(TAG) is kept
    assert len(store.mailbox([TAG], [b"h" * 16]).replies) == (
        moment in ("after all", "before a withdrawn blob is deleted")
    )
    store.sweep(today(), alone=presence.alone)
    rows = [store.blobs.path(envelope.id) for envelope in store.waiting("u")]
    assert blob_files() == rows
    assert len(rows) == kept
    assert all(path.read_bytes() == b"sealed" for path in rows)
    presence.leave()
    store.engine.dispose()
