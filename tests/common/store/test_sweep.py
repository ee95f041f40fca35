"""The sweep: takes what is past its time or left over, and never what a living writer is about to keep."""

import os
import threading
from datetime import date, timedelta
from unittest.mock import Mock

import pytest

from common.days import midnight_of, today
from common.store import sweep
from common.store.database import open_store
from common.store.set_aside import set_aside_under, was_held
from common.store.sweep import KEEP_HELD, KEEP_SET_ASIDE, WrongDatabase
from common.store.values import KEEP_REPLIES, Addressed, SealedReply

DAY = timedelta(days=1)
TAG = b"t" * 16


@pytest.fixture
def held(store, put, blob_files, settle):
    """A message that its desk holds."""

    def held(tag=TAG, day=None):
        before = set(blob_files())
        put(tag)
        settle()
        store.note_held("u", [path.name for path in set(blob_files()) - before], day or today())

    return held


@pytest.mark.parametrize("alone", [True, False])
def test_a_held_message_is_set_aside_after_its_grace_and_deleted_later(store, put, blob_files, held, alone):
    held()
    put(b"w" * 16)
    store.sweep(today() + KEEP_HELD, alone=alone)
    assert store.was_received(TAG)
    assert len(blob_files()) == 2
    store.sweep(today() + KEEP_HELD + DAY, alone=alone)
    assert not store.was_received(TAG)
    assert store.was_received(b"w" * 16)  # not held: kept however old
    assert len(blob_files()) == len(set_aside_under(store.blobs._root)) == 1
    store.sweep(today() + KEEP_HELD + KEEP_SET_ASIDE + DAY, alone=alone)
    assert len(set_aside_under(store.blobs._root)) == 1
    store.sweep(today() + KEEP_HELD + KEEP_SET_ASIDE + 2 * DAY, alone=alone)
    assert not set_aside_under(store.blobs._root)
    assert len(blob_files()) == 1


def test_what_the_database_calls_held_for_long_is_not_deleted_at_once(store, blob_files, held):
    """It may be the database that is wrong, or whoever wrote into it."""
    held(day=date(2000, 1, 1))
    before = [path.read_bytes() for path in blob_files()]
    store.sweep(today(), alone=True)
    (aside,) = set_aside_under(store.blobs._root)
    assert [aside.read_bytes()] == before
    assert was_held(aside)


def test_a_message_that_nobody_collects_is_kept(store, put, blob_files):
    put(TAG)
    store.sweep(today() + 4000 * DAY, alone=True)
    assert store.was_received(TAG)
    assert len(blob_files()) == 1


def test_a_reply_is_deleted_after_its_last_day(store):
    store.put_reply([b"r" * 16], b"one", today())
    store.sweep(today() + KEEP_REPLIES, alone=True)
    assert len(store.mailbox([], [b"r" * 16]).replies) == 1
    store.sweep(today() + KEEP_REPLIES + DAY, alone=True)
    assert store.mailbox([], [b"r" * 16]).replies == {}


def orphan(store, day):
    """A blob without a row, as a crash leaves it."""
    with store.blobs.create() as blob:
        os.write(blob.descriptor, b"x")
        store.blobs.commit(blob, day)
    return store.blobs._path(blob.id)


def test_alone_it_takes_every_orphan_and_what_was_being_written(store, put, blob_files, folder):
    put(TAG)
    kept = blob_files()
    for day in (today() + DAY, today(), today() - 400 * DAY):
        orphan(store, day)
    (folder / "blobs" / "staging" / ("0" * 32)).write_bytes(b"half")
    store.sweep(today(), alone=True)
    assert blob_files() == kept


def test_beside_others_it_takes_only_orphans_that_nobody_can_be_writing(store, folder):
    young = [orphan(store, today() - n * DAY) for n in (0, 1)]
    old = [orphan(store, today() - n * DAY) for n in (2, 3)]
    staged, stale = (folder / "blobs" / "staging" / (digit * 32) for digit in "01")
    staged.write_bytes(b"half")
    stale.write_bytes(b"left long ago")
    os.utime(stale, (0, midnight_of(today() - 2 * DAY)))
    store.sweep(today(), alone=False)
    assert not stale.exists()
    assert [path.exists() for path in young] == [True, True]
    assert [path.exists() for path in old] == [False, False]
    assert staged.exists()


@pytest.fixture
def other_database(store, folder):
    """The same blobs with a fresh database, as after a slip in the settings."""
    opened = open_store(f"sqlite:///{folder / 'another.sqlite'}", folder / "blobs")
    yield opened
    opened.engine.dispose()


def test_what_another_database_does_not_know_is_set_aside_and_comes_back(
    store, other_database, put, blob_files, caplog
):
    for _ in range(3):
        put()
    before = {path: path.read_bytes() for path in blob_files()}
    other_database.sweep(today(), alone=True)
    assert blob_files() == []
    assert "3 sealed messages that the database does not know were set aside" in caplog.text
    store.sweep(today() + 13 * DAY, alone=True)
    assert {path: path.read_bytes() for path in blob_files()} == before
    assert not set_aside_under(store.blobs._root)


def test_what_was_set_aside_is_deleted_after_its_time_and_tells_no_hour(store, folder):
    orphan(store, today())
    store.sweep(today(), alone=True)
    aside = [folder / "blobs" / "set-aside", folder / "blobs" / "set-aside" / str(today())]
    assert {path.stat().st_mtime for path in aside} == {midnight_of(today())}
    store.sweep(today() + KEEP_SET_ASIDE, alone=True)
    assert set_aside_under(store.blobs._root)
    store.sweep(today() + KEEP_SET_ASIDE + DAY, alone=True)
    assert not set_aside_under(store.blobs._root)
    assert list(aside[0].iterdir()) == []


def test_an_empty_database_beside_many_blobs_changes_nothing(store, other_database, put, blob_files):
    for _ in range(33):
        put()
    before = blob_files()
    for alone in (True, False):
        with pytest.raises(WrongDatabase, match=r"33 sealed ones are there\. Name the right database"):
            other_database.sweep(today() + 4 * DAY, alone=alone)
    assert blob_files() == before
    store.sweep(today(), alone=True)  # the right one
    assert blob_files() == before


def test_killed_among_many_deletions_the_next_start_takes_it_up(store, put, blob_files, settle, monkeypatch):
    """All rows are gone in the end: no crash on the way may look like a wrong database."""
    for number in range(40):
        put(b"%16d" % number)
    settle()
    store.note_held("u", [path.name for path in blob_files()], today())
    late = today() + KEEP_HELD + DAY
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store.blobs, "set_aside", Mock(side_effect=KeyboardInterrupt))
        store.sweep(late, alone=True)
    store.sweep(late, alone=True)
    assert blob_files() == []


def test_a_foreign_file_is_left_alone(store, folder):
    stranger = folder / "blobs" / "00" / "README"
    stranger.write_bytes(b"x")
    os.utime(stranger, (0, 0))
    store.sweep(today(), alone=True)
    assert stranger.exists()


def test_the_first_is_alone_and_a_second_waits_until_it_shares(store, another_process):
    first = store.blobs.enter()
    assert first.alone
    entered = threading.Event()
    second = []

    def enter():
        second.append(another_process.blobs.enter())
        entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.wait(0.2)
    first.share()
    assert not first.alone
    assert entered.wait(30)
    thread.join()
    assert not second[0].alone
    first.leave()
    third = another_process.blobs.enter()
    assert not third.alone  # the second is still there
    third.leave()
    second[0].leave()
    last = store.blobs.enter()
    assert last.alone
    last.leave()


def test_a_server_that_starts_beside_a_writer_does_not_take_its_blob(store, another_process, blob_files):
    """The writer has put its blob in place and not yet committed its row, even over midnight."""
    writer = store.blobs.enter()
    writer.share()
    real = store.blobs.commit

    def commit_then_others_start(pending, day):
        size = real(pending, day)
        starter = another_process.blobs.enter()
        for now in (today(), today() + DAY):
            another_process.sweep(now, alone=starter.alone)
        starter.leave()
        return size

    store.blobs.commit = commit_then_others_start
    header = SealedReply(b"h" * 16, b"x")
    store.receive([Addressed(TAG, "u")], header, today(), lambda outputs: os.write(outputs[0], b"x"))
    assert [path.read_bytes() for path in blob_files()] == [b"x"]
    assert store.was_received(TAG)
    writer.leave()


def test_beside_others_too_what_is_deleted_is_gone_and_the_log_is_empty(
    store, another_process, put, folder, held
):
    put(b"k" * 16, unit="other")
    held()
    another_process.was_received(TAG)  # it has the database open
    store.sweep(today() + KEEP_HELD + DAY, alone=False)
    content = b"".join(file.read_bytes() for file in folder.glob("candour.sqlite*"))
    assert TAG not in content
    assert b"k" * 16 in content
    assert (folder / "candour.sqlite-wal").stat().st_size == 0


def test_a_large_database_is_not_written_anew_beside_others(store, another_process, put, folder, monkeypatch):
    monkeypatch.setattr(sweep, "_REWRITTEN_BESIDE_OTHERS", 0)
    put(TAG)
    store.sweep(today(), alone=False)
    assert (folder / "candour.sqlite-wal").stat().st_size > 0
    store.sweep(today(), alone=True)
    assert (folder / "candour.sqlite-wal").stat().st_size == 0


def test_one_that_would_not_fit_into_memory_is_not_written_anew_at_a_start_either(
    store, put, folder, monkeypatch
):
    monkeypatch.setattr(sweep, "_REWRITTEN_ALONE", 0)
    put(TAG)
    store.sweep(today(), alone=True)
    assert (folder / "candour.sqlite-wal").stat().st_size > 0


ODD = "Something odd lies among the messages that are set aside: it was left alone"


@pytest.mark.parametrize("odd", ["link", "link of a day", "file", "folder for a message", "file of a day"])
def test_whatever_odd_lies_among_what_is_set_aside_no_message_moves_and_the_sweep_goes_on(
    store, put, blob_files, folder, caplog, odd
):
    put(TAG)
    before = {path: path.read_bytes() for path in blob_files()}
    [blob] = before
    left = orphan(store, today() - 9 * DAY)
    aside = folder / "blobs" / "set-aside"
    long_ago = str(today() - KEEP_SET_ASIDE - 9 * DAY)
    if odd == "link":
        aside.symlink_to(folder)
    elif odd == "file":
        aside.touch()
    else:
        aside.mkdir()
    if odd == "link of a day":
        (aside / long_ago).symlink_to(blob.parent)
    elif odd == "folder for a message":
        (aside / str(today()) / left.name).mkdir(parents=True)
        (aside / str(today()) / left.name / "x").touch()
    elif odd == "file of a day":
        (aside / long_ago).touch()
    for alone in (True, False):
        store.sweep(today(), alone=alone)
        assert caplog.messages.count(ODD) == 1
        caplog.clear()
    assert {path: path.read_bytes() for path in blob_files() if path != left} == before
    assert left.exists() or odd in ("link of a day", "file of a day")


def test_a_link_in_place_of_the_own_folder_is_not_followed_either(store, put, blob_files, folder, caplog):
    (elsewhere := folder / "elsewhere").mkdir()
    (folder / "blobs" / "set-aside").symlink_to(elsewhere)
    left = orphan(store, today())
    store.sweep(today(), alone=True)
    assert left.exists()
    assert list(elsewhere.iterdir()) == []
    assert caplog.messages == [ODD]
