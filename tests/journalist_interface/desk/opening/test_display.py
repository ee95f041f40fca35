"""What a page shows: every word isolated, what was sealed by own hand opened, what is very large left shut."""

import re
import subprocess
from datetime import timedelta

import pytest

from common.days import today
from common.gpg.runner import private_home
from journalist_interface.desk.app import create_app
from journalist_interface.desk.opening import display
from journalist_interface.desk.stick.bundle_import import import_all

pytestmark = pytest.mark.slow


def seal_by_hand(world, text, *options, certificate=None):
    file = world.folder.parent / "by-hand.asc"
    file.write_text(certificate or world.house.unit.certificate)
    home = private_home(world.folder.parent / "gh")
    made = subprocess.run(
        ["gpg", "--homedir", str(home), "--batch", *options, "-e", "--recipient-file", str(file)],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    return made.stdout


def conversation(world, browser, *messages):
    """The page of a conversation that holds these texts, or texts with files."""
    reporter = world.reporter()
    sealed = []
    for number, message in enumerate(messages):
        text, files = message if isinstance(message, tuple) else (message, ())
        sealed.append(world.seal(reporter, text, files, first=number == 0))
    world.bundle(*sealed)
    browser.post("/import")
    return browser.get(f"/conversations/{reporter.identity}").text


def opened_words(browser, page):
    """What the page's button shows."""
    [button] = re.findall(r'action="(/messages/[0-9a-f]{32}/words/1/open)"', page)
    return browser.post(button).text


def test_words_are_text_and_nothing_else(world, browser):
    page = conversation(world, browser, '<script>alert(1)</script> & "quotes"\n\n  indented\u202e\x07')
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;quotes&#34;\n\n  indented\u202e\ufffd" in page
    assert '<div class="words" dir="auto">' in page


def test_a_files_name_is_isolated_and_harmless(world, browser):
    page = conversation(world, browser, ("x", [("<b>a\u202egpj.exe", [b"MZ"])]))
    assert "<b>" not in page
    assert re.search(r"<bdi>0001-[^<]*gpj\.exe</bdi>", page)


def test_a_message_that_was_sealed_by_hand_is_opened_when_asked_for(world, browser):
    armoured = seal_by_hand(world, "The second bag.\u00e9", "--armor").decode()
    indented = "\n".join(f"  {line}" for line in armoured.splitlines())
    page = conversation(world, browser, f"Before.\n\n{indented}\n\nAfter.")
    assert "There are words here that were sealed by hand" in page
    assert "The second bag.é" not in page
    assert "BEGIN PGP MESSAGE" in page
    opened = opened_words(browser, page)
    assert "Sealed by the reporter before sending" in opened
    assert "The second bag.é" in opened


@pytest.mark.parametrize("harm", ["other key", "cut", "altered", "not text", "too much"])
def test_what_was_sealed_by_hand_and_does_not_open_is_said_so(world, browser, harm):
    if harm == "other key":
        block = seal_by_hand(world, "secret", "--armor", certificate=world.house.other.certificate).decode()
    elif harm == "too much":
        block = seal_by_hand(world, "a" * 5_000_000, "--armor").decode()
    else:
        block = seal_by_hand(world, "secret", "--armor").decode()
    if harm == "cut":
        block = block[: len(block) // 2]
    if harm == "altered":
        line = block.splitlines()[3]
        block = block.replace(line, line[::-1])
    if harm == "not text":
        file = world.folder.parent / "b.asc"
        file.write_text(world.house.unit.certificate)
        block = subprocess.run(
            [
                "gpg",
                "--homedir",
                str(world.folder.parent / "gh"),
                "--batch",
                "-a",
                "-e",
                "--recipient-file",
                str(file),
            ],
            input=b"\xff\xfe\x00",
            capture_output=True,
            check=True,
        ).stdout.decode()
    page = opened_words(browser, conversation(world, browser, block))
    assert "Sealed by the reporter before sending" in page
    assert ("not text" in page) if harm == "not text" else ("It does not open." in page)
    assert "aaaa" not in page


def test_a_file_that_was_sealed_by_hand_opens_on_a_page(world, browser):
    files = [
        ("armoured.txt", [seal_by_hand(world, "First within.", "--armor")]),
        ("binary.gpg", [seal_by_hand(world, "Second within.")]),
        ("photo.jpg", [b"\xff\xd8\xff\xe0"]),
        ("other.asc", [seal_by_hand(world, "x", certificate=world.house.other.certificate)]),
    ]
    page = conversation(world, browser, ("x", files))
    links = re.findall(r'action="(/messages/[0-9a-f]{32}/files/(\d+)/open)"', page)
    assert [number for _, number in links] == ["1", "2", "4"]
    assert "First within." in browser.post(links[0][0]).text
    assert "Second within." in browser.post(links[1][0]).text
    assert "It does not open." in browser.post(links[2][0]).text
    assert browser.post(links[0][0].replace("/1/", "/9/")).status_code == 404


def test_a_large_file_is_not_opened_on_a_page(world, browser):
    page = conversation(world, browser, ("x", [("large.gpg", [bytes(1024 * 1024 + 1)])]))
    assert "/open" not in page
    [message] = re.findall(r'id="m-([0-9a-f]{32})"', page)
    assert browser.post(f"/messages/{message}/files/1/open").status_code == 404


def test_messages_stand_in_the_order_of_their_days_twenty_to_a_page(world, browser):
    reporter = world.reporter()
    days = [today() - timedelta(days=60 - number) for number in range(45)]
    sealed = [
        world.seal(reporter, f"number {number:02d}", first=number == 0, day=day)
        for number, day in enumerate(days)
    ]
    world.bundle(*sealed)
    browser.post("/import")
    seen: list[int] = []
    older = [f"/conversations/{reporter.identity}"]
    while older:
        page = browser.get(older[0]).text
        here = [int(number) for number in re.findall(r"number (\d\d)", page)]
        assert here == sorted(here)
        assert len(here) <= 20
        seen = here + seen
        older = re.findall(r'href="([^"]+)">Older messages', page)
    assert seen == list(range(45))


def test_of_one_day_the_first_message_stands_first_and_answers_where_they_were_given(world, browser):
    reporter = world.reporter()
    world.bundle(world.seal(reporter, "later one", first=False), world.seal(reporter, "the first"))
    browser.post("/import")
    path = f"/conversations/{reporter.identity}"
    fields = browser.fields(browser.post(f"{path}/answer/preview", {"text": "our answer"}).text)
    browser.post(f"{path}/answer/seal", fields | {"released": "yes"})
    assert "Unanswered" not in browser.get(path).text
    world.bundle(world.seal(reporter, "then this", first=False))
    browser.post("/import")
    page = browser.get(path).text
    places = [page.index(words) for words in ("the first", "later one", "our answer", "then this")]
    assert places == sorted(places)
    assert "Unanswered" in page


def test_what_is_too_large_to_open_on_the_way_has_a_page_of_its_own(world, browser, monkeypatch):
    monkeypatch.setattr(display, "OPENED_AT_ONCE", 20_000)
    day = today()
    reporter = world.reporter()
    sealed = [
        world.seal(reporter, f"words {number}", first=number == 0, day=day - timedelta(days=3 - number))
        for number in range(3)
    ]
    world.bundle(*sealed)
    browser.post("/import")
    page = browser.get(f"/conversations/{reporter.identity}").text
    assert "words 2" in page
    assert "words 0" not in page
    link = re.findall(r'href="(/messages/[0-9a-f]{32})">Open it', page)[0]
    assert "words 0" in browser.get(link).text


def test_a_sealed_file_that_was_harmed_on_the_disk_is_said_so(world, browser):
    reporter = world.reporter()
    sealed = world.seal(reporter, "gone")
    world.bundle(sealed)
    desk = world.desk()
    import_all(desk)
    file = desk.files.envelope(sealed.name)
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    assert "It could not be opened: it is damaged" in browser.get(f"/conversations/{reporter.identity}").text
    file.unlink()
    assert "its sealed file is gone" in browser.get(f"/conversations/{reporter.identity}").text


def test_a_report_that_names_another_unit_is_marked(world, browser):
    reporter = world.reporter()
    sealed = world.seal(reporter)
    world.bundle(sealed)
    import_all(world.desk())
    (world.folder / "desk.toml").write_text(
        (world.folder / "desk.toml").read_text().replace('unit = "demo-unit"', 'unit = "other-unit"')
    )
    again = type(browser)(create_app(world.settings, 8083))
    assert (
        "for another unit: <bdi>demo-unit</bdi>"
        in again.enter().get(f"/conversations/{reporter.identity}").text
    )


@pytest.mark.parametrize(
    "path",
    [
        "/conversations/" + "0" * 32,
        "/conversations/x",
        "/messages/" + "0" * 32,
        "/messages/x",
        "/?before=x",
        "/?before=2026-13-40." + "0" * 32,
        "/unreadable?before=1",
    ],
)
def test_what_is_not_here_is_said_so(browser, path):
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_what_nobody_foresaw_names_its_place_and_no_value(world, browser, monkeypatch, caplog):
    conversation(world, browser, "x")

    def fail(*_):
        raise KeyError("a secret word")

    monkeypatch.setattr("journalist_interface.desk.pages.conversations.show", fail)
    [found] = world.desk().cabinet.conversations.page()
    answer = browser.get(f"/conversations/{found.identity}")
    assert answer.status_code == 500
    assert "restart the desk" in answer.text
    assert "a secret word" not in answer.text + caplog.text
    assert "KeyError at " in caplog.text
