"""The main job, whole: a report with files goes in, is opened at the desk, is answered, and the answer is read."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.journeys.steps import answer, come_back, listed, open_new, report

WORDS = "Someone at the yard was paid for registration checks. Ünïcode — and a second line:\n\u200fעברית\u200e ends it."  # noqa: RUF001
ANSWER = (
    "Thank you. We have read it.\n\nDo you already know roughly when this began? Please do not look for it."
)
LATER = "It began in the spring, as far as I know."
CLOSING = "Thank you. That helps."


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "IMG 0042 – yard.jpg"
    file.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + os.urandom(150_000))
    return file


@pytest.fixture
def document(tmp_path: Path) -> Path:
    file = tmp_path / "rota.pdf"
    file.write_bytes(b"%PDF-1.4\n" + os.urandom(60_000) + b"\n%%EOF\n")
    return file


def test_report_desk_answer_and_back(firefox, whole_candour, photo: Path, document: Path):
    candour = whole_candour
    before = listed(firefox, candour)
    codename = report(firefox, candour.source, WORDS, photo, document)
    assert "1" in candour.round()

    # The unit's desk, in the same browser: the link lets in once.
    open_new(firefox, candour, before)
    assert firefox.text(".message .words") == WORDS
    names = [name.removeprefix(f"{n:04d}-") for n, name in enumerate(firefox.texts(".files .name"), 1)]
    assert names == [photo.name, document.name]
    sums = [element.text for element in firefox.all(".digest code")]
    assert sums == [hashlib.sha256(file.read_bytes()).hexdigest() for file in (photo, document)]

    conversation = firefox.address
    for number, original in enumerate((photo, document)):
        firefox.go(conversation)
        firefox.all(".files form button")[number].click()
        saved = Path(firefox.find(".path").text)
        assert saved.read_bytes() == original.read_bytes()
        assert saved.stat().st_mode & 0o777 == 0o600

    firefox.go(conversation)
    answer(firefox, ANSWER)
    candour.round()

    come_back(firefox, candour.source, codename.upper().replace(" ", "-"))
    assert firefox.text(".answer .words") == ANSWER
    assert "Demo Anti-Corruption Unit" in firefox.find(".answer").text
    assert ": they say that they have it." in firefox.words
    firefox.type("#text", LATER)
    firefox.press("Send")
    assert "has arrived and is safe" in firefox.words
    candour.round()

    # One conversation, two messages; a second answer beside the first.
    firefox.go(candour.desk)
    assert len(firefox.all("ol.list > li")) == len(before) + 1
    open_new(firefox, candour, before)
    assert firefox.texts("article .words") == [WORDS, ANSWER, LATER]
    answer(firefox, CLOSING)
    candour.round()

    come_back(firefox, candour.source, codename)
    assert set(firefox.texts(".answer .words")) == {ANSWER, CLOSING}
    firefox.all(".answer button")[0].click()
    assert "The answer is deleted" in firefox.words
    assert len(firefox.all(".answer")) == 1

    # Nobody else gets in with the link that was used.
    firefox.go(candour.desk)
    firefox.marionette.delete_all_cookies()
    firefox.go(candour.desk_link)
    assert WORDS not in firefox.words
    assert not firefox.has("ol.list")


def test_words_sealed_by_own_hand_are_recognised_at_the_desk(firefox, whole_candour, tmp_path: Path):
    candour = whole_candour
    before = listed(firefox, candour)
    firefox.go(candour.source + "/certificate")
    firefox.press("Demo Anti-Corruption Unit")
    certificate = tmp_path / "unit.asc"
    certificate.write_text(firefox.text("pre.armour"))
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    sealed = subprocess.run(
        ["gpg", "--homedir", home, "--batch", "-ae", "--compress-algo", "none", "-F", certificate],
        input="Sealed before it was sent.",
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert sealed.returncode == 0, sealed.stderr
    report(firefox, candour.source, sealed.stdout)
    candour.round()
    open_new(firefox, candour, before)
    assert firefox.texts(".message .words")[0].startswith("-----BEGIN PGP MESSAGE-----")
    assert "There are words here that were sealed by hand" in firefox.words
    firefox.find(".within button").click()
    assert "Sealed by the reporter before sending" in firefox.words
    assert firefox.text(".within .words") == "Sealed before it was sent."
