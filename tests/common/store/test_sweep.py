"""The sweep: takes what is past its time or left over, and never what a living writer is about to keep."""

import os
import threading
from datetime import date, timedelta
from unittest.mock import Mock

import pytest

from common.days import midnight_of, today
from common.store import sweeping
from common.store.aside import Aside, was_collected
from common.store.blobs import new_id, set_aside_under
from common.store.kept import KEEP_REPLIES, SealedReply
from common.store.opening import open_store
from common.store.sweeping import KEEP_COLLECTED, KEEP_SET_ASIDE, WrongDatabase

DAY = timedelta(days=1)
TAG = b"t" * 16


def collected(store, put, tag=TAG):
    put(tag)
    store.acknowledge("u", [store.waiting("u")[0].id], today())


@pytest.mark.parametrize("alone", [True, False])
def test_a_collected_message_is_set_aside_after_its_grace_and_deleted_later(store, put, blob_files, alone):
    collected(store, put)
    put(b"w" * 16)
    store.sweep(today() + KEEP_COLLECTED, alone=alone)
    assert store.was_received(TAG)
    assert len(blob_files()) == 2
    store.sweep(today() + KEEP_COLLECTED + DAY, alone=alone)
    assert not store.was_received(TAG)
    assert store.was_received(b"w" * 16)  # not collected: kept however old
    assert len(blob_files()) == len(set_aside_under(store.blobs._root)) == 1
    store.sweep(today() + KEEP_COLLECTED + KEEP_SET_ASIDE + DAY, alone=alone)
    assert len(set_aside_under(store.blobs._root)) == 1
    store.sweep(today() + KEEP_COLLECTED + KEEP_SET_ASIDE + 2 * DAY, alone=alone)
    assert not set_aside_under(store.blobs._root)
    assert len(blob_files()) == 1


def test_a_collection_that_is_broken_into_can_have_no_message_deleted_at_once(store, put, blob_files):
    """Its user may write into the database, and say that all was collected long ago."""
    put(TAG)
    before = [path.read_bytes() for path in blob_files()]
    store.acknowledge("u", [store.waiting("u")[0].id], date(2000, 1, 1))
    store.sweep(today(), alone=True)
    (aside,) = set_aside_under(store.blobs._root)
    assert [aside.read_bytes()] == before
    assert was_collected(aside)


def test_a_message_that_nobody_collects_is_kept(store, put, blob_files):
    put(TAG)
    store.sweep(today() + 4000 * DAY, alone=True)
    assert store.was_received(TAG)
    assert len(blob_files()) == 1


def test_a_reply_is_deleted_after_its_last_day(store):
    store.post_reply([b"r" * 16], b"one", today())
    store.sweep(today() + KEEP_REPLIES, alone=True)
    assert len(store.mailbox([], [b"r" * 16]).replies) == 1
    store.sweep(today() + KEEP_REPLIES + DAY, alone=True)
    assert store.mailbox([], [b"r" * 16]).replies == {}


def orphan(store, day):
    """A blob without a row, as a crash leaves it."""
    with store.blobs.pending() as blob:
        blob.path.write_bytes(b"x")
        store.blobs.publish(blob, day)
    return store.blobs.path(blob.id)


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


def test_killed_among_many_deletions_the_next_start_takes_it_up(store, put, blob_files, monkeypatch):
    """All rows are gone in the end: no crash on the way may look like a wrong database."""
    for number in range(40):
        put(b"%16d" % number)
    store.acknowledge("u", [envelope.id for envelope in store.waiting("u")], today())
    late = today() + KEEP_COLLECTED + DAY
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


def test_a_server_that_starts_beside_a_writer_does_not_take_its_blob(store, another_process, put):
    """The writer has published its blob and not yet committed its row, even over midnight."""
    writer = store.blobs.enter()
    writer.share()
    with store.blobs.pending() as blob:
        blob.path.write_bytes(b"x")
        real = store.blobs.publish

        def publish_then_others_start(pending, day):
            size = real(pending, day)
            starter = another_process.blobs.enter()
            for now in (today(), today() + DAY):
                another_process.sweep(now, alone=starter.alone)
            starter.leave()
            return size

        store.blobs.publish = publish_then_others_start
        header = SealedReply(b"h" * 16, b"x")
        store.accept(blob, receipt_tag=TAG, unit="u", day=today(), header=header)
    assert store.sealed_file("u", store.waiting("u")[0].id).read_bytes() == b"x"
    writer.leave()


def test_beside_others_too_what_is_deleted_is_gone_and_the_log_is_empty(store, another_process, put, folder):
    put(b"k" * 16, unit="other")
    collected(store, put)
    another_process.waiting("u")  # it has the database open
    store.sweep(today() + KEEP_COLLECTED + DAY, alone=False)
    content = b"".join(file.read_bytes() for file in folder.glob("candour.sqlite*"))
    assert TAG not in content
    assert b"k" * 16 in content
    assert (folder / "candour.sqlite-wal").stat().st_size == 0


def test_a_large_database_is_not_written_anew_beside_others(store, another_process, put, folder, monkeypatch):
    monkeypatch.setattr(sweeping, "_REWRITTEN_BESIDE_OTHERS", 0)
    put(TAG)
    store.sweep(today(), alone=False)
    assert (folder / "candour.sqlite-wal").stat().st_size > 0
    store.sweep(today(), alone=True)
    assert (folder / "candour.sqlite-wal").stat().st_size == 0


def forwarded(store, day):
    """A forwarded blob without a row."""
    blob_id = new_id(forwarded=True)
    part = store.blobs.forwarded_part(blob_id)
    part.write_bytes(b"x")
    store.blobs.publish_forwarded(part, blob_id, day)
    return store.blobs.path(blob_id)


def test_a_forwarded_message_that_the_database_does_not_know_is_set_aside_within_its_folder(store, folder):
    """On a host that folder is a mount of its own, out of which nothing can be renamed."""
    young, old = forwarded(store, today() - DAY), forwarded(store, today() - 2 * DAY)
    store.sweep(today(), alone=True)
    assert young.exists()
    assert set_aside_under(folder / "blobs") == [folder / "forwarded" / "set-aside" / str(today()) / old.name]
    store.blobs.put_back(old.name)
    assert old.read_bytes() == b"x"
    store.sweep(today(), alone=True)
    store.sweep(today() + KEEP_SET_ASIDE + DAY, alone=True)
    assert not old.exists()
    assert old.name not in [file.name for file in set_aside_under(folder / "blobs")]


def test_a_forwarded_message_that_was_collected_is_set_aside_within_its_folder(store, folder):
    blob_id, part = new_id(forwarded=True), store.blobs.forwarded_part("0" * 32)
    part.write_bytes(b"x")
    assert store.accept_forwarded(part, blob_id, "unit", 1, today())
    store.acknowledge("unit", [blob_id], today())
    store.sweep(today() + KEEP_COLLECTED + DAY, alone=False)
    [aside] = set_aside_under(folder / "blobs")
    assert aside.parent.parent == folder / "forwarded" / "set-aside"
    assert was_collected(aside)


ODD = "Something odd lies among the messages that are set aside: it was left alone"


@pytest.mark.parametrize("odd", ["link", "link of a day", "file", "folder for a message", "file of a day"])
def test_whatever_a_collection_in_wrong_hands_puts_there_no_reporter_s_message_moves_and_the_sweep_goes_on(
    store, put, blob_files, folder, caplog, odd
):
    """It writes into `forwarded/`, beside which the reporters' envelopes lie."""
    put(TAG)
    before = {path: path.read_bytes() for path in blob_files()}
    [blob] = before
    forwarded_one = forwarded(store, today() - 9 * DAY)
    aside = folder / "forwarded" / "set-aside"
    long_ago = str(today() - KEEP_SET_ASIDE - 9 * DAY)
    if odd == "link":
        aside.symlink_to(folder / "blobs")
    elif odd == "file":
        aside.touch()
    else:
        aside.mkdir()
    if odd == "link of a day":
        (aside / long_ago).symlink_to(blob.parent)
    elif odd == "folder for a message":
        (aside / str(today()) / forwarded_one.name).mkdir(parents=True)
        (aside / str(today()) / forwarded_one.name / "x").touch()
    elif odd == "file of a day":
        (aside / long_ago).touch()
    orphan(store, today())
    for alone in (True, False):
        store.sweep(today(), alone=alone)
        assert caplog.messages.count(ODD) == 1
        caplog.clear()
    assert {path: path.read_bytes() for path in blob_files()} == before
    assert forwarded_one.exists() or odd in ("link of a day", "file of a day")
    assert len(Aside(folder / "blobs").files()) == 1  # all else went as ever


def test_a_link_in_place_of_the_own_folder_is_not_followed_either(store, put, blob_files, folder, caplog):
    (elsewhere := folder / "elsewhere").mkdir()
    (folder / "blobs" / "set-aside").symlink_to(elsewhere)
    left = orphan(store, today())
    store.sweep(today(), alone=True)
    assert left.exists()
    assert list(elsewhere.iterdir()) == []
    assert caplog.messages == [ODD]


def test_a_file_that_bears_the_name_of_a_reporter_s_message_moves_nothing(store, put, blob_files, folder):
    put(TAG)
    [blob] = blob_files()
    (folder / "forwarded" / blob.name).write_bytes(b"planted")
    os.utime(folder / "forwarded" / blob.name, (0, 0))
    store.sweep(today(), alone=True)
    assert blob.read_bytes() == b"x"
    assert store.blobs.path(blob.name) == blob
