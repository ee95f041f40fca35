"""Nothing typed is lost: whatever goes wrong, the words come back with a sentence that says what to do."""

import os
import subprocess

import pytest
from sqlalchemy import text as sql

from common.config import Limits
from common.days import today
from common.gpg.runner import gpg_environment
from source_interface.intake import certificates

pytestmark = pytest.mark.slow

TYPED = "First line, with <b>marks</b> & “quotes”.\n\n   Indented; ünïcödé 🕊.\nLast line."
LIMITS = {"max_files": 3, "max_file_bytes": 2_500_000, "max_report_bytes": 6_000_000, "keep_free_bytes": 0}
MB = 1_000_000


@pytest.fixture
def app(new_app):
    return new_app(**LIMITS)


@pytest.fixture(params=["/report", "/conversation/write"])
def at(request, reporter):
    """A reporter with a message form open: the first one, and a later one."""
    if request.param == "/report":
        reporter.start()
    else:
        reporter.report()
        reporter.get("/conversation")
    return reporter


@pytest.fixture
def refused(at, arrived, house):
    """Sends a message that must not be taken; looks at status, sentence, words and store."""

    def send(status, sentence, typed=TYPED, files=(), headers=None, **changed):
        before = arrived(house.config)
        answer = at.deliver(*at.message(typed, files, **changed), **(headers or {}))
        assert answer.status == status, answer.page.words
        assert sentence in " ".join(answer.page.words.split())
        assert answer.typed.replace("\r\n", "\n") == typed
        assert arrived(house.config) == before
        return answer

    return send


def test_sizes_that_do_not_fit(at, refused):
    size = "at most 200,000 characters fit"
    refused(413, size, "x" * 200_001)
    refused(413, size, "word " * 150_000)
    refused(413, size, "\nx" * 250_000)
    refused(413, size, "é" * 400_000)
    refused(413, size, "x" * 800_000)
    refused(413, "at most 3 fit", files=[(f"{n}.txt", b"x") for n in range(4)])
    refused(413, "at most 3 fit", files=[(f"{n}.txt", b"") for n in range(20)])
    refused(413, "A file is too large: at most 2 MB fits", files=[("a", b"x"), ("b", b"x" * 2_500_001)])
    big = b"\r\n--" * 500_000
    refused(413, "too large together: at most 5 MB fits", files=[("a", big), ("b", big), ("c", big)])
    assert (
        at.write(TYPED, files=[("a", b"x" * 2_500_000)]).status == 303
    )  # the form they came back in is good


def test_a_text_longer_than_any_memory_given_to_it_comes_back_as_far_as_it_goes(at):
    for typed in ("x", "🕊"):
        answer = at.write(typed * (5 * MB))
        assert answer.status == 413
        assert "at most 200,000 characters fit. Only its beginning is below" in answer.text
        assert answer.typed == typed * (800_000 // len(typed.encode()))


def test_no_text_that_fits_is_cut(at, refused):
    for widest in ("🕊", "\r\n", '"'):
        answer = at.deliver(*at.message("." + widest * 199_999, slot="256"))
        assert answer.status == 400
        assert answer.typed == "." + widest * 199_999


def test_a_report_without_words(at, refused):
    for typed in ("", "   \n\t ", "\u2003"):
        refused(422, "Write a few words", typed, files=[("proof.jpg", b"\xff\xd8")])


def test_a_wrong_slot(at, refused):
    for slot in ("256", "999", "-1", "x", "", "٣", "0001", "0000999", "1" * 1000, "1 ", "0x1", "1.0"):
        refused(400, "send it again", slot=slot)


def test_files_may_be_empty(at, house, arrived):
    assert at.write(TYPED, files=[("", b""), ("empty.txt", b"")]).status == 303


def test_hints_give_the_words_back_and_send_nothing(at, refused):
    answer = refused(200, "Might this point to you?", "Only three of us knew.")
    assert (
        at.forms[next(path for path in at.forms if path in ("/report", "/conversation/write"))]["seen_hints"]
        == "1"
    )
    assert "How" not in answer.typed
    assert at.write("Only three of us knew.").status == 303


def test_a_full_disk(at, refused, house):
    full = Limits(**LIMITS | {"keep_free_bytes": 10**18})
    object.__setattr__(house.config, "limits", full)
    refused(503, "There is no room")


def test_a_disk_that_is_full_for_files_is_not_full_for_words(at, refused, house, arrived):
    free = house.store.blobs.free_bytes()
    full = Limits(**LIMITS | {"keep_free_bytes": 2 * free})
    object.__setattr__(house.config, "limits", full)
    refused(503, "Send the text alone", files=[("film.mp4", b"x" * 2_000_000)])
    before = len(arrived(house.config))
    assert at.write("🕊" * 200_000).status == 303  # the longest text there is
    assert len(arrived(house.config)) == before + 1


def test_a_blob_folder_that_cannot_be_written(at, refused, house):
    staging = house.config.blobs / "staging"
    staging.rename(staging.with_name("gone"))
    refused(503, "Try again in a few minutes", files=[("a", b"x" * MB)])
    staging.with_name("gone").rename(staging)
    assert at.write(TYPED).status == 303


DEAD_GPGS = [
    None,  # not there at all
    "#!/bin/sh\nexit 2\n",
    "#!/bin/sh\nhead -c 1000 >/dev/null\nexit 2\n",
    "#!/bin/sh\nkill -9 $$\n",
    "#!/bin/sh\ncat >/dev/null\n",  # says nothing
    "#!/bin/sh\ncat >/dev/null; echo '[GNUPG:] END_ENCRYPTION' >&2; kill -9 $$\n",
]


def test_a_dead_gpg(at, refused, tmp_path, monkeypatch):
    for number, script in enumerate(DEAD_GPGS):
        folder = tmp_path / f"bin{number}"
        folder.mkdir()
        if script:
            (folder / "gpg").write_text(script)
            (folder / "gpg").chmod(0o700)
        with monkeypatch.context() as patch:
            patch.setenv("PATH", f"{folder}:{os.environ['PATH']}" if script else str(folder))
            refused(503, "Try again in a few minutes", files=[("a", b"x" * MB)])
    assert at.write(TYPED).status == 303


@pytest.fixture
def expired_certificate(short_folder):
    """A certificate that was good for a day of the year 2020."""
    home = short_folder() / "gnupg"
    home.mkdir(mode=0o700)
    gpg = [
        "gpg",
        "--homedir",
        str(home),
        "--batch",
        "--passphrase",
        "",
        "--faked-system-time",
        "20200101T000000!",
    ]
    subprocess.run(
        [*gpg, "--quick-gen-key", "Old", "future-default", "default", "1d"], env=gpg_environment(), check=True
    )
    return subprocess.run(
        [*gpg, "--armor", "--export"], env=gpg_environment(), check=True, capture_output=True
    ).stdout


def test_a_certificate_that_gpg_refuses(at, refused, unit_keys, expired_certificate, monkeypatch):
    good = certificates.certificate_of_the_day(unit_keys.unit, today())
    for bad in (expired_certificate, b"", b"junk", good[: len(good) // 2]):
        monkeypatch.setattr(certificates, "certificate_of_the_day", lambda *_, given=bad: given)
        refused(503, "The unit cannot receive anything just now, so nothing was sent. Come back tomorrow.")
        refused(503, "Come back tomorrow", files=[("a", b"x" * MB)])  # gpg ends before it has heard all
    monkeypatch.undo()
    assert at.write(TYPED).status == 303


def test_a_registry_that_broke_meanwhile(at, refused, house):
    good = house.config.registry.read_bytes()
    for bad in (b"", b"junk", good.replace(b"Test Anti", b"Fake Anti"), None):
        if bad is None:
            house.config.registry.unlink()
        else:
            house.config.registry.write_bytes(bad)
        page = at.last
        refused(503, "Come back tomorrow")
        at.last = page
    house.config.registry.write_bytes(good)
    assert at.write(TYPED).status == 303


def test_a_database_that_broke_meanwhile(at, refused, house):
    for rename in ("ALTER TABLE envelope RENAME TO gone", "ALTER TABLE reply RENAME TO gone_too"):
        with house.store.engine.begin() as connection:
            connection.execute(sql(rename))
        page = at.last
        refused(503, "Try again in a few minutes")
        at.last = page


def test_a_form_that_ends_in_the_middle_gives_back_what_came(at, arrived, house):
    before = arrived(house.config)
    path, body = at.message("Half of what was ty")
    cut = body[: body.index(b"of what was ty") + len(b"of what was ty")]
    answer = at.deliver(path, cut)
    assert answer.status == 400
    assert answer.typed.startswith("Half of")
    assert arrived(house.config) == before


def test_a_visit_that_ended_gives_back_a_text_of_any_length(at):
    for typed in (TYPED, "x" * 200_001, "🕊" * 200_000):
        page, cookie = at.last, at.cookie
        at.cookie = ""
        answer = at.write(typed)
        assert answer.status == 403
        assert "Your visit has ended" in answer.text
        assert answer.typed.replace("\r\n", "\n") == typed
        at.last, at.cookie = page, cookie


def test_a_stale_form_gives_back_a_text_of_any_length(at):
    for typed in (TYPED, "x" * 200_001, "🕊" * 200_001):
        page, cookie = at.last, at.cookie
        answer = at.write(typed, csrf="of another visit")
        assert answer.status == 403
        assert "earlier visit" in answer.text
        assert answer.typed.replace("\r\n", "\n") == (typed[:200_000] if "🕊🕊" in typed else typed)
        at.last, at.cookie = page, cookie
