"""What a file system keeps of its own accord: numbers, places and times that no program can set."""

import os
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from common.days import midnight_of, today
from common.store.blob_pool import POOL
from common.store.blobs import BlobFolder
from common.store.models import Base

PAIRS = 60


@pytest.fixture
def pairs(store):
    """Messages sealed twice, in the order in which they came: the inode numbers of each one's copies."""
    store.blobs.fill_pool()
    with ExitStack() as stack:
        blobs = [[stack.enter_context(store.blobs.create()) for _ in range(2)] for _ in range(PAIRS)]
        yield [tuple(os.fstat(blob.descriptor).st_ino for blob in pair) for pair in blobs]


def correlation(values):
    """Spearman's: 1 where they rise with their place, 0 where the place tells nothing."""
    ranks = {value: rank for rank, value in enumerate(sorted(values))}
    n = len(values)
    return 1 - 6 * sum((ranks[value] - place) ** 2 for place, value in enumerate(values)) / (n * (n * n - 1))


def test_the_numbers_of_files_tell_neither_what_came_first_nor_what_came_together(store, pairs):
    assert abs(correlation([number for pair in pairs for number in pair])) < 0.45  # five deviations
    ranks = {n: rank for rank, n in enumerate(sorted(number for pair in pairs for number in pair))}
    neighbours = sum(abs(ranks[one] - ranks[other]) == 1 for one, other in pairs)
    assert neighbours <= 8  # one by chance; all of them where each is made for its message


def test_messages_are_written_into_files_that_were_there_before_them(store, put, folder):
    store.blobs.fill_pool()
    pool = {file.stat().st_ino for file in (folder / "blobs" / "pool").iterdir()}
    assert len(pool) == POOL
    for _ in range(5):
        put()
    blobs = {file.stat().st_ino for file in (folder / "blobs").glob("[0-9a-f][0-9a-f]/*")}
    assert len(blobs) == 5
    assert blobs < pool


def test_files_are_made_many_at_once_and_before_the_last_ones_would_tell_themselves_apart(folder):
    blobs, pool = BlobFolder(folder / "blobs"), folder / "blobs" / "pool"
    seen = []
    for _ in range(2 * POOL):
        before = {file.name for file in pool.iterdir()}
        with blobs.create():
            made = {file.name for file in pool.iterdir()} - before
            if made:
                seen.append((len(made), len(before)))
    assert seen[0] == (POOL - 1, 0)  # one is drawn already
    assert len(seen) == 3
    assert all(before == POOL // 4 - 1 and made >= POOL * 3 // 4 - 1 for made, before in seen[1:])


def test_two_processes_draw_from_one_pool_and_never_the_same_file(folder):
    one, other = (BlobFolder(folder / "blobs") for _ in range(2))
    with ExitStack() as stack:
        drawn = [stack.enter_context(blobs.create()) for _ in range(POOL) for blobs in (one, other)]
        assert len({os.fstat(blob.descriptor).st_ino for blob in drawn}) == 2 * POOL


def at_the_next_step_of_its_clock(folder):
    """Wait until the file system's clock, which goes in steps of a few milliseconds, has gone on. What it says then."""
    probe = folder / "probe"
    probe.touch()
    first = now = probe.stat().st_ctime_ns
    while now == first:
        probe.touch()
        now = probe.stat().st_ctime_ns
    probe.unlink()
    return now


def test_after_a_settlement_all_blobs_were_changed_in_it_in_the_order_of_their_names(
    store, put, blob_files, settle, folder
):
    put(day=today() - timedelta(days=3))
    settle("2026-11-28T12")
    for _ in range(3):
        put()
    began = at_the_next_step_of_its_clock(folder)
    settle()
    files = blob_files()
    changed = [file.stat().st_ctime_ns for file in files]
    assert len(changed) == 4
    assert changed == sorted(changed)
    for path in [*files, *(folder / "blobs").glob("??"), *(folder / "blobs" / "pool").iterdir()]:
        assert path.stat().st_ctime_ns >= began, path
    assert sorted(file.stat().st_mtime for file in files) == [
        midnight_of(today() - timedelta(days=3)),
        *[midnight_of(today())] * 3,
    ]


def test_files_and_folders_of_the_store_tell_no_hour_whatever_is_done(
    store, put, settle, desk, inbox, folder, forward, outbox
):
    """Those of the database too, which SQLite writes as it likes."""

    def check():
        paths = [folder / "inbox", *(folder / "inbox").rglob("*"), folder / "outbox"]
        paths += [folder / "blobs", *(folder / "blobs").rglob("*"), *(folder / "outbox").iterdir()]
        there = [file for file in store.database_files() if file.exists()]
        assert len(there) == 3
        for path in (*paths, *there):
            if path.suffix != ".lock":
                assert path.stat().st_mtime % 86400 == 0, path

    settle()
    tag = put()
    check()
    with store.blobs.create() as abandoned:
        check()
        os.utime(abandoned.descriptor)
    check()
    inbox.put_post("u", desk.reply())
    forward(desk, b"sealed", "other")
    inbox.begin("u", *desk.slip(b"another", "other"))
    inbox.append("u", desk.slip(b"another", "other")[0], 0, b"ano")
    check()
    settle()
    check()
    store.mailbox([tag], [tag])
    check()
    store.was_received(tag)
    store.withdraw(tag)
    check()
    settle()
    store.sweep(today(), alone=True)
    check()


def test_a_copy_of_the_database_between_two_messages_shows_as_much_of_the_second_as_of_the_first(store, put):
    """Each message adds one envelope and one mailbox item, none is changed, and neither stands beside the other's."""

    def rows():
        with store.engine.connect() as connection:
            return {
                name: set(map(tuple, connection.execute(select(table)).all()))
                for name, table in Base.metadata.tables.items()
            }

    seen = [rows()]
    for _ in range(3):
        put()
        seen.append(rows())
    for before, after in pairwise(seen):
        assert {name: len(after[name] - before[name]) for name in after} == {
            "envelope": 1,
            "reply": 1,
            "returned": 0,
        }
        assert all(before[name] <= after[name] for name in after)


def test_a_blob_is_its_owners_alone_until_it_is_listed(store, put, settle, folder, monkeypatch):
    blobs = Path(store.blobs._root)
    blobs.chmod(0o2750)
    again = BlobFolder(blobs)
    monkeypatch.setattr(store, "blobs", again)
    put()
    [new] = list(blobs.glob("[0-9a-f][0-9a-f]/*"))
    assert new.stat().st_mode & 0o777 == 0o600
    settle()
    assert new.stat().st_mode & 0o777 == 0o640
    assert new.stat().st_size == 1


def test_without_a_folder_to_write_into_a_blob_is_refused_and_not_waited_for(store, folder):
    (folder / "blobs" / "staging").rename(folder / "gone")
    with pytest.raises(FileNotFoundError), store.blobs.create():
        pass
