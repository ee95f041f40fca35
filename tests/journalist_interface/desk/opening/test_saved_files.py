"""A file out of a report: checked against the report's manifest, or not saved at all."""

import hashlib
import re

import pytest

from common.report import report as reports
from common.report.archive import WrongFile
from common.report.report import Attachment
from journalist_interface.desk.app import create_app
from journalist_interface.desk.opening import saved_files
from journalist_interface.desk.stick.bundle_import import import_all

pytestmark = pytest.mark.slow


def imported(world, files, reporter=None):
    reporter = reporter or world.reporter()
    sealed = world.seal(reporter, "x", files)
    world.bundle(sealed)
    desk = world.desk()
    import_all(desk)
    return desk, desk.cabinet.envelopes.get(sealed.name)


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024 - 1, 1024 * 1024, 5_000_001])
def test_a_saved_file_is_the_one_that_was_sent(world, size):
    content = bytes(number % 251 for number in range(size))
    desk, row = imported(world, [("before", [b"x" * 777]), ("it.bin", [content]), ("after", [b"y" * 999])])
    saved = saved_files.save(desk, row, 2)
    assert saved.path.read_bytes() == content
    assert saved.file.sha256 == hashlib.sha256(content).hexdigest()
    assert saved.path.stat().st_mode & 0o777 == 0o600
    assert saved.path.parent.stat().st_mode & 0o777 == 0o700
    assert desk.cabinet.envelopes.handled([row.id])[-1].what == "saved"
    assert desk.cabinet.envelopes.handled([row.id])[-1].sha256 == saved.file.sha256


def test_a_file_with_the_wrong_hash_leaves_nothing(world, monkeypatch):
    write = reports.to_manifest

    def lie(attachments, contact=None):
        lied = (Attachment(file.name, file.size, "0" * 64, file.kind) for file in attachments)
        return write(tuple(lied), contact)

    monkeypatch.setattr(reports, "to_manifest", lie)
    desk, row = imported(world, [("photo.jpg", [b"x" * 100_000])])
    with pytest.raises(WrongFile):
        saved_files.save(desk, row, 1)
    assert files_in(desk.settings.saved) == []
    assert [line.what for line in desk.cabinet.envelopes.handled([row.id])] == ["received", "opened"]


def test_the_page_says_so_when_a_file_is_wrong(world, browser, monkeypatch):
    write = reports.to_manifest
    monkeypatch.setattr(
        reports,
        "to_manifest",
        lambda files, *more: write(
            tuple(Attachment(file.name, file.size, "0" * 64, file.kind) for file in files), *more
        ),
    )
    _, row = imported(world, [("photo.jpg", [b"x"])])
    answer = browser.post(f"/messages/{row.id}/files/1/save")
    assert answer.status_code == 409
    assert "The file was not saved" in answer.text


def test_saving_again_finds_it_there(world, browser):
    desk, row = imported(world, [("photo.jpg", [b"x" * 100])])
    assert not saved_files.save(desk, row, 1).before
    assert "It was saved before" in browser.post(f"/messages/{row.id}/files/1/save").text
    assert len(files_in(desk.settings.saved)) == 1
    assert [line.what for line in desk.cabinet.envelopes.handled([row.id])].count("saved") == 1


def test_another_file_in_its_place_is_never_written_over(world):
    desk, row = imported(world, [("photo.jpg", [b"x" * 100])])
    place = saved_files.save(desk, row, 1).path
    place.write_bytes(b"notes of mine")
    with pytest.raises(saved_files.NotSaved, match="Move it away"):
        saved_files.save(desk, row, 1)
    assert place.read_bytes() == b"notes of mine"


def test_two_files_of_one_name_are_two_files(world):
    desk, row = imported(world, [("../../a", [b"1"]), ("a", [b"2"])])
    assert saved_files.save(desk, row, 1).path.name == "0001-a"
    assert saved_files.save(desk, row, 2).path.read_bytes() == b"2"
    assert all(world.folder / "saved" in file.parents for file in files_in(world.folder / "saved"))


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "99999999999999999999"])
def test_a_file_that_is_not_there_is_said_so(world, browser, number):
    _, row = imported(world, [("a", [b"1"])])
    assert browser.post(f"/messages/{row.id}/files/{number}/save").status_code == 404


def test_what_was_being_saved_when_the_desk_was_killed_is_gone_at_the_next_start(world):
    folder = world.folder / "saved" / "C-00000000" / "M-00000000"
    folder.mkdir(parents=True)
    (folder / ".unfinished-0001-photo.jpg").write_bytes(b"half")
    (folder / "0002-photo.jpg").write_bytes(b"whole")
    create_app(world.settings, 8083)
    assert [file.name for file in files_in(folder)] == ["0002-photo.jpg"]


def test_no_name_that_a_sender_chose_makes_saved_evidence_vanish_at_the_next_start(world):
    names = ["bodycam.mp4.part", ".unfinished-a", "a.unfinished-", "x/.unfinished-0001-b"]
    desk, row = imported(world, [(name, [b"evidence"]) for name in names])
    saved = [saved_files.save(desk, row, number).path for number in range(1, len(names) + 1)]
    create_app(world.settings, 8083)
    assert [path.read_bytes() for path in saved] == [b"evidence"] * len(names)


def test_the_page_says_where_it_is(world, browser):
    reporter = world.reporter()
    _, row = imported(world, [("photo.jpg", [b"x"])], reporter)
    page = browser.post(f"/messages/{row.id}/files/1/save").text
    [place] = re.findall(r'class="path">([^<]+)<', page)
    assert place.endswith(f"saved/C-{reporter.identity[:8]}/M-{row.id[:8]}/0001-photo.jpg")
    assert hashlib.sha256(b"x").hexdigest() in page
