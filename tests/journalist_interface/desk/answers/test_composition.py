"""An answer: seen as its reporter will, sealed to the conversation, taken back while it waits."""

import io
import secrets

import pytest

from common.conversation import mailbox, reply
from common.days import today
from common.gpg.sealing import Sealer
from common.report.padding import REPLY_PLAINTEXT_BYTES
from common.transport import post
from journalist_interface.desk.answers import composition
from journalist_interface.desk.rows.answers import Answer
from journalist_interface.desk.stick.bundle_import import import_all

pytestmark = pytest.mark.slow


@pytest.fixture
def reporter(world):
    """A reporter whose first message is on the desk."""
    found = world.reporter()
    world.bundle(world.seal(found, "Words."))
    import_all(world.desk())
    return found


def seal(browser, reporter, text="Thank you."):
    path = f"/conversations/{reporter.identity}/answer"
    fields = browser.fields(browser.post(f"{path}/preview", {"text": text}).text) | {"released": "yes"}
    return fields, browser.post(f"{path}/seal", fields)


def opened_by(world, reporter, answer_id):
    document = post.read(
        composition.read_answer(world.desk(), answer_id).outgoing, world.house.unit.reply_public_key
    )
    assert isinstance(document, post.ReplyPost)
    return reply.read(
        reporter.key.open(document.ciphertext), reporter.identity, world.house.unit.reply_public_key
    )


@pytest.mark.parametrize(
    "text", ["Thank you.", "Zeile eins\nZeile zwei", "שלום \u202e<b>", '"quoted" & \\back', "a\r\nb\tc"]
)
def test_the_reporter_reads_what_the_preview_showed(world, browser, reporter, text):
    fields, answer = seal(browser, reporter, text)
    assert answer.status_code == 303
    read = opened_by(world, reporter, fields["answer"])
    assert read.text == text.replace("\r\n", "\n").strip()
    assert (read.unit, read.day, read.identity) == ("demo-unit", today(), fields["answer"])


def test_previewing_keeps_nothing(world, browser, reporter, everything_in):
    browser.post(f"/conversations/{reporter.identity}/answer/preview", {"text": "only looking"})
    assert world.desk().cabinet.answers.count_to_export() == 0
    assert b"only looking" not in everything_in(world.folder)


def test_the_room_left_is_what_can_still_be_said(world, browser, reporter):
    unit = world.desk().settings.load_registry()[1]
    left = composition.draft(unit, "a", today()).left
    _, sealed = seal(browser, reporter, "a" * (left + 1))
    assert sealed.status_code == 303
    assert composition.draft(unit, "a" * (left + 1), today()).left == 0
    assert composition.draft(unit, "a" * (left + 2), today()).left == -1


@pytest.mark.parametrize("letter", ["a", "é", "\n.", "😀"])
def test_an_answer_that_is_too_long_says_so_and_keeps_its_words(browser, reporter, letter):
    text = ("A beginning. " + letter * REPLY_PLAINTEXT_BYTES).strip()
    path = f"/conversations/{reporter.identity}/answer"
    page = browser.post(f"{path}/preview", {"text": text})
    assert page.status_code == 200
    assert "too long by about" in page.text
    assert "Shorten it, or send it as two" in page.text
    assert text in page.text
    assert "Seal it" not in page.text
    page = browser.post(f"{path}/seal", {"text": text, "answer": "0" * 32})
    assert "too long by about" in page.text
    assert text in page.text


@pytest.mark.parametrize(
    ("letter", "fits"), [("'", True), ('"', True), ("&", False), ("<", False), ("\n", False)]
)
def test_an_answer_that_takes_too_much_room_on_the_page_is_too_long(browser, reporter, letter, fits):
    """Quotes cost what they are long there; what HTML has to escape costs four or five bytes each."""
    text = f"A beginning. {letter * 3_500} An end."
    path = f"/conversations/{reporter.identity}/answer"
    page = browser.post(f"{path}/preview", {"text": text})
    assert ("too long by about" in page.text) is not fits
    sealed = browser.post(f"{path}/seal", {"text": text, "answer": "0" * 32, "released": "yes"})
    assert (sealed.status_code == 303) is fits


def test_answers_are_numbered_and_one_that_was_taken_back_gives_its_number_to_the_next(world, reporter):
    desk = world.desk()
    numbers = []
    for taken_back in (False, True, False, False):
        answer_id = secrets.token_hex(16)
        composition.seal_answer(desk, reporter.identity, answer_id, "Words.")
        numbers.append(desk.cabinet.answers.get(answer_id).number)
        if taken_back:
            composition.take_back(desk, answer_id)
    assert numbers == [1, 2, 2, 3]


def test_an_answer_without_words_is_not_sealed(browser, reporter):
    path = f"/conversations/{reporter.identity}/answer"
    assert "There are no words" in browser.post(f"{path}/preview", {"text": " \n "}).text
    assert browser.post(f"{path}/seal", {"text": " ", "answer": "0" * 32}).status_code == 400
    assert browser.post(f"{path}/seal", {"text": "x", "answer": "../x"}).status_code == 400


def test_changing_it_keeps_the_words(browser, reporter):
    page = browser.post(f"/conversations/{reporter.identity}/answer", {"text": "not  quite\nright"}).text
    assert ">\nnot  quite\nright</textarea>" in page


def test_the_form_sent_twice_is_one_answer(world, browser, reporter):
    fields, _ = seal(browser, reporter)
    before = composition.read_answer(world.desk(), fields["answer"]).outgoing
    assert (
        browser.post(
            f"/conversations/{reporter.identity}/answer/seal", fields | {"released": "yes"}
        ).status_code
        == 303
    )
    assert composition.read_answer(world.desk(), fields["answer"]).outgoing == before
    assert world.desk().cabinet.answers.count_to_export() == 1


def test_no_slot_is_used_twice_until_none_is_left(world, browser, reporter):
    desk, key = world.desk(), reporter.secrets.mailbox_key
    for number in range(84):
        slots = mailbox.draw_candidates(key, desk.cabinet.answers.used_slots(reporter.identity))
        row = Answer(secrets.token_hex(16), reporter.identity, today(), "waiting", None, number + 1)
        assert desk.cabinet.answers.add(row, slots, secrets.token_hex(16))
        assert len(desk.cabinet.answers.used_slots(reporter.identity)) == 3 * (number + 1)
    composition.seal_answer(desk, reporter.identity, secrets.token_hex(16), "the last one")
    assert len(desk.cabinet.answers.used_slots(reporter.identity)) == 3 * 85  # one of 256 is left
    with pytest.raises(composition.NoMoreRoom):
        composition.seal_answer(desk, reporter.identity, secrets.token_hex(16), "one more")
    fields = {"text": "one more", "answer": secrets.token_hex(16)}
    page = browser.post(f"/conversations/{reporter.identity}/answer/seal", fields | {"released": "yes"})
    assert page.status_code == 409
    assert "no room for another answer" in page.text


def test_a_waiting_answer_can_be_taken_back(world, browser, reporter):
    fields, _ = seal(browser, reporter, "hasty")
    path = f"/conversations/{reporter.identity}"
    assert "Unanswered" not in browser.get("/").text.replace(">Unanswered</a>", "")
    assert browser.post(f"/answers/{fields['answer']}/take-back").status_code == 303
    assert "hasty" not in browser.get(path).text
    assert "Unanswered" in browser.get(path).text
    assert not world.desk().files.answer(fields["answer"]).exists()
    assert "1 answer" not in browser.post("/export").text
    assert browser.post(f"/answers/{fields['answer']}/take-back").status_code == 404


def test_sealed_answers_have_one_size_on_the_disk(world, reporter):
    desk, sizes = world.desk(), set()
    for text in ("a", "b" * 7000, "é" * 3000):
        answer_id = secrets.token_hex(16)
        composition.seal_answer(desk, reporter.identity, answer_id, text)
        sizes.add(desk.files.answer(answer_id).stat().st_size)
        assert desk.files.answer(answer_id).stat().st_mode & 0o777 == 0o600
    assert len(sizes) == 1


def test_an_answer_to_nobody_is_said_so(browser):
    path = f"/conversations/{'0' * 32}/answer"
    for action in ("", "/preview", "/seal"):
        assert browser.post(path + action, {"text": "x", "answer": "0" * 32}).status_code == 404


@pytest.mark.parametrize("harm", ["gone", "another", "damaged", "not a key"])
def test_without_the_right_key_nothing_is_sealed(world, reporter, harm):
    key = world.folder / "other.key.gpg"
    if harm == "another":
        recipient = world.folder.parent / "c.asc"
        recipient.write_text(world.house.unit.certificate)
        Sealer(world.folder.parent / "s").seal(
            io.BytesIO((world.house.folder / "courier.key").read_bytes()), [recipient], key
        )
    elif harm == "not a key":
        world.seal_bytes([b"no key"]).rename(key)
    elif harm == "damaged":
        key.write_bytes((world.house.folder / "unit" / "reply.key.gpg").read_bytes()[:-3])
    text = (world.folder / "desk.toml").read_text()
    (world.folder / "desk.toml").write_text(
        text.replace(str(world.house.folder / "unit" / "reply.key.gpg"), "other.key.gpg")
    )
    desk = world.desk()
    with pytest.raises(composition.NoReplyKey):
        composition.seal_answer(desk, reporter.identity, "0" * 32, "x")
    assert desk.cabinet.answers.get("0" * 32) is None
    assert not desk.files.answer("0" * 32).exists()


def test_nothing_of_the_keys_is_left_in_the_desks_own_folder(world, browser, reporter):
    seal(browser, reporter)
    assert [path for path in (world.folder / "run").rglob("*") if path.is_file()] == []
