"""What is kept is what was sent, sealed to the unit and to nobody else, and it tells nothing from outside."""

import hashlib
import json
import os
import sqlite3
import subprocess
import zipfile
from datetime import UTC, datetime

import pytest

from common.days import today
from common.gpg.opening import OpeningFailed
from common.gpg.runner import gpg_environment
from common.report.padding import padded_size

pytestmark = pytest.mark.slow

TEXT = "Money changes hands in the yard behind the station.\n\nÜber alles: 🕊"
PHOTO = b"\xff\xd8\xff\xe0\x00\x10JFIF" + os.urandom(300_000)
FILES = [("photo.jpg", PHOTO), ("notes.txt", b"plain words\n"), ("empty", b"")]


@pytest.fixture
def sealed(reporter, house, arrived):
    """The one blob of a report that was sent."""
    reporter.report(TEXT, FILES)
    [file] = arrived(house.config)
    return file


def test_the_unit_opens_what_was_sent(sealed, opened):
    report, files = opened(sealed)
    assert (report.text, report.unit, report.day, report.first) == (TEXT, "test-unit", today(), True)
    assert files == {
        "files/0001-photo.jpg": PHOTO,
        "files/0002-notes.txt": b"plain words\n",
        "files/0003-empty": b"",
    }


def test_gpg_and_unzip_are_enough(sealed, unit_keys, tmp_path):
    archive, out = tmp_path / "report.zip", tmp_path / "out"
    gpg = [
        "gpg",
        "--homedir",
        str(unit_keys.folder / "gnupg"),
        "--batch",
        "-o",
        str(archive),
        "-d",
        str(sealed),
    ]
    subprocess.run(gpg, check=True, capture_output=True, env=gpg_environment())
    with zipfile.ZipFile(archive) as whole:
        assert whole.testzip() is None
        whole.extractall(out)
        assert {entry.date_time for entry in whole.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert (out / "files/0001-photo.jpg").read_bytes() == PHOTO
    assert TEXT in (out / "report.txt").read_text("utf-8")
    manifest = {file["name"]: file for file in json.loads((out / "manifest.json").read_bytes())["files"]}
    assert manifest["files/0001-photo.jpg"] == {
        "name": "files/0001-photo.jpg",
        "size": len(PHOTO),
        "sha256": hashlib.sha256(PHOTO).hexdigest(),
        "kind": "image/jpeg",
    }
    assert archive.stat().st_size == padded_size(archive.stat().st_size)


def test_no_other_unit_opens_it(sealed, opened, other_unit_keys):
    with pytest.raises(OpeningFailed):
        opened(sealed, other_unit_keys)


def test_the_message_names_no_key_and_no_hour(sealed, unit_keys, tmp_path):
    gpg = ["gpg", "--homedir", str(unit_keys.folder / "gnupg"), "--batch", "--list-packets", str(sealed)]
    packets = subprocess.run(gpg, check=True, capture_output=True, text=True, env=gpg_environment()).stdout
    assert "keyid 0000000000000000" in packets
    assert packets.count(":pubkey enc packet:") == 1
    assert "compressed packet" not in packets
    assert f"created {int(datetime(*today().timetuple()[:3], tzinfo=UTC).timestamp())}," in packets
    assert 'name=""' in packets


def test_small_reports_have_one_size(reporter_at, app, house, arrived):
    for text, files in (("x", []), ("y" * 5000, []), ("z", [("a-long-name-for-a-file.pdf", b"%PDF" * 500)])):
        reporter_at(app).report(text, files)
    assert len({file.stat().st_size for file in arrived(house.config)}) == 1


def test_the_database_holds_days_and_sizes_and_nothing_else(sealed, house, unit_keys):
    with sqlite3.connect(house.config.database.removeprefix("sqlite:///")) as database:
        [row] = database.execute(
            "SELECT id, length(receipt_tag), unit, day, padded_size, state, sha256, held_day FROM envelope"
        )
        [reply] = database.execute("SELECT length(tag), length(ciphertext), day FROM reply")
    database.close()
    assert row == (sealed.name, 16, "test-unit", str(today()), sealed.stat().st_size, "new", None, None)
    assert reply == (16, 9328, str(today()))


def test_files_and_folders_of_the_store_tell_no_hour(reporter, house, arrived):
    """The database's files too. A folder that nothing is put into keeps the time at which it was made."""
    folder = house.config.blobs
    before = {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}
    reporter.report("Once.")
    [sealed] = arrived(house.config)
    after = [folder, *folder.rglob("*")]
    written = [path for path in after if before.get(path) != path.stat().st_mtime_ns]
    assert {sealed, sealed.parent} <= set(written)
    assert len(house.store.database_files()) == 3
    midnight = datetime(*today().timetuple()[:3], tzinfo=UTC).timestamp()
    for path in (*written, *house.store.database_files()):
        assert path.stat().st_mtime == midnight, path
    assert sealed.stat().st_atime == midnight
    assert sealed.stat().st_mode & 0o777 == 0o600


def test_two_reports_of_one_person_have_nothing_in_common(reporter_at, app, house):
    words = reporter_at(app).report("The same words.")
    later = reporter_at(app)
    later.come_back(words)
    later.choose()
    later.write("The same words.")
    with sqlite3.connect(house.config.database.removeprefix("sqlite:///")) as database:
        rows = database.execute("SELECT id, receipt_tag FROM envelope").fetchall()
        headers = [row[0] for row in database.execute("SELECT tag FROM reply ORDER BY tag")]
        assert len(set(headers)) == 2, "each message leaves one row, of one look, under a tag of its own"
    database.close()
    assert not set(rows[0]) & set(rows[1])


def test_words_sealed_by_hand_arrive_untouched(reporter, house, arrived, opened, unit_keys, tmp_path):
    certificate = tmp_path / "unit.asc"
    certificate.write_text(unit_keys.unit.certificate)
    gpg = [
        "gpg",
        "--homedir",
        str(tmp_path),
        "--batch",
        "-ae",
        "--compress-algo",
        "none",
        "--trust-model",
        "always",
    ]
    gpg += ["-F", str(certificate)]
    by_hand = subprocess.run(
        gpg, input=b"my sergeant", check=True, capture_output=True, env=gpg_environment()
    ).stdout
    reporter.report(by_hand.decode())  # and no hint stood in its way
    [file] = arrived(house.config)
    assert opened(file)[0].text == by_hand.decode()
