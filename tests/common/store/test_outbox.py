"""The outbox: each unit reads its own, of the last settled hour, whoever looks at once."""

import sqlite3
import threading
from datetime import date

import pytest

from common.store.outbox import FILE
from common.store.values import Envelope, Returned

ONE = Envelope("1" * 32, date(2026, 11, 27), 16_384)
TWO = Envelope("2" * 32, date(2026, 11, 28), 2**40)


@pytest.fixture
def written(outbox):
    outbox.write(
        "2026-11-28T18",
        [("u", TWO), ("u", ONE), ("other", Envelope("3" * 32, ONE.day, 1))],
        [("u", Returned("f" * 32, "no-place"))],
        2**40,
    )
    return outbox


def test_what_is_written_is_read_by_its_unit_in_order(written):
    assert written.settled_hour() == "2026-11-28T18"
    assert written.waiting("u") == [ONE, TWO]
    assert written.waiting("u", after=ONE.id) == [TWO]
    assert written.waiting("u", most=1) == [ONE]
    assert written.waiting("u", no_larger_than=16_384) == [ONE]
    assert written.returned("u") == [Returned("f" * 32, "no-place")]
    assert (written.waiting("nobody"), written.returned("other")) == ([], [])
    assert written.room() == 2**40


def test_without_a_listing_there_is_nothing(outbox):
    assert (outbox.settled_hour(), outbox.waiting("u"), outbox.returned("u")) == (None, [], [])
    assert outbox.room() == 0
    assert outbox.open("u", ONE.id) is None


def test_an_id_that_is_not_listed_for_the_unit_has_no_file_whatever_lies_on_the_disk(written, folder, store):
    for blob_id in ("3" * 32, "4" * 32):
        store.blobs._path(blob_id).write_bytes(b"sealed")
        assert written.open("u", blob_id) is None
    assert written.open("other", "3" * 32).read() == b"sealed"


def test_a_new_listing_is_read_as_soon_as_it_is_in_place_and_the_old_one_until_then(written):
    for number in range(20):
        written.write(f"2026-11-28T{number:02}", [("u", Envelope(f"{number:032x}", ONE.day, number))], [], 0)
        assert written.settled_hour() == f"2026-11-28T{number:02}"
        assert [one.size for one in written.waiting("u")] == [number]


def test_whoever_reads_meanwhile_sees_one_listing_or_the_other(written):
    ends, wrong = threading.Event(), []

    def read():
        while not ends.is_set():
            found = [one.size for one in written.waiting("u")]
            if len(found) not in (2, 50) or (len(found) == 50 and len(set(found)) != 1):
                wrong.append(found)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        rows = [("u", Envelope(f"{one:032x}", ONE.day, number)) for one in range(50)]
        written.write("2026-11-28T18", rows, [], 0)
    ends.set()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_a_listing_that_cannot_be_finished_leaves_the_old_one(written, folder):
    def broken():
        yield "u", ONE
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        written.write("2026-11-29T00", broken(), [], 0)
    assert written.settled_hour() == "2026-11-28T18"
    written.write("2026-11-29T00", [], [], 0)
    assert [file.name for file in (folder / "outbox").iterdir()] == [FILE]


def test_a_damaged_listing_is_an_error_and_not_an_empty_one(written, folder):
    written.close()
    (folder / "outbox" / FILE).write_bytes(b"x" * 4096)
    with pytest.raises(sqlite3.Error):
        written.waiting("u")


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o700, 0o600), (0o2750, 0o640)])
def test_a_group_may_read_it_where_the_folder_was_made_for_one(outbox, folder, folder_mode, file_mode):
    (folder / "outbox").mkdir()
    (folder / "outbox").chmod(folder_mode)
    outbox.write("2026-11-28T18", [], [], 0)
    assert (folder / "outbox" / FILE).stat().st_mode & 0o7777 == file_mode


def test_reading_writes_nothing_and_needs_no_file_beside_it(written, folder):
    before = (folder / "outbox" / FILE).stat()
    written.waiting("u")
    after = (folder / "outbox" / FILE).stat()
    assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns)
    assert [file.name for file in (folder / "outbox").iterdir()] == [FILE]
