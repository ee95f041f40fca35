"""The whole way of a reporter: begin, write, codename, come back, write again, withdraw, another matter, leave."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import insert

from common import canonical
from common.conversation import mailbox
from common.conversation.header import read_deleted
from common.days import today
from common.store.models import EnvelopeRow
from tests.source_interface.conftest import CODENAME

pytestmark = pytest.mark.slow


def test_a_codename_is_shown_only_once_the_report_is_durable(reporter, house, arrived):
    reporter.start()
    assert reporter.get("/sent").goes_to == "/report"
    assert reporter.get("/report").status == 200
    assert reporter.write("").status == 422
    assert reporter.get("/sent").goes_to == "/report"
    assert arrived(house.config) == []
    reporter.get("/report")
    assert reporter.write("It happened at the yard.").goes_to == "/sent"
    assert len(arrived(house.config)) == 1
    assert "It has arrived" in reporter.get("/sent").text


def test_the_codename_is_shown_again_until_it_is_noted_and_then_never(reporter, house):
    words = reporter.report()
    page = reporter.get("/sent")
    assert all(word in page.text for word in words)
    noted_before = reporter.cookie
    assert reporter.post("/noted").goes_to == "/conversation"
    assert reporter.get("/sent").goes_to == "/conversation"
    assert not any(f">{word}<" in reporter.get("/conversation").text for word in words)
    assert reporter.cookie != noted_before


def test_a_page_that_was_lost_on_the_way_comes_again_and_nothing_is_sent_twice(reporter, house, arrived):
    reporter.start()
    path, body = reporter.message()
    cookie = reporter.cookie
    assert reporter.deliver(path, body).goes_to == "/sent"
    reporter.cookie = cookie  # the answer never reached the browser
    assert reporter.get("/report").goes_to == "/sent"
    assert "It has arrived" in reporter.deliver(path, body).text
    assert reporter.get("/sent").status == 200
    assert len(arrived(house.config)) == 1


def test_a_report_changed_after_it_had_arrived_is_not_dropped_in_silence(reporter, house, arrived, opened):
    reporter.start()
    form = reporter.last
    reporter.write("First version.")
    words = reporter.codename()
    reporter.last = form  # the browser's back button
    again = reporter.write("Second version, with a name.", [("proof.jpg", b"\xff\xd8")])
    assert again.status == 200
    assert "nothing was sent a second time" in again.text
    assert again.typed == "Second version, with a name."
    assert CODENAME.findall(again.text) == words
    assert len(arrived(house.config)) == 1

    assert reporter.write("Second version, with a name.", [("proof.jpg", b"\xff\xd8")]).goes_to == "/sent"
    shown = reporter.get("/sent")  # the codename is not noted yet
    assert "Your message has arrived" in shown.text
    assert CODENAME.findall(shown.text) == words
    texts = {opened(file)[0].text for file in arrived(house.config)}
    assert texts == {"First version.", "Second version, with a name."}


def test_a_report_changed_after_its_codename_was_noted_comes_back_without_it(reporter, house, arrived):
    reporter.start()
    form = reporter.last
    reporter.write("First version.")
    reporter.get("/sent")
    reporter.post("/noted")
    reporter.last = form
    again = reporter.write("Second version.")
    assert again.status == 200
    assert again.typed == "Second version."
    assert CODENAME.findall(again.text) == []
    assert reporter.write("Second version.").goes_to == "/conversation"
    assert len(arrived(house.config)) == 2


def test_a_codename_that_is_not_noted_can_be_reached_from_its_page(reporter):
    reporter.report()
    assert "/sent" in [attributes.get("href") for _, attributes in reporter.get("/conversation").page.tags]
    reporter.get("/sent")
    reporter.post("/noted")
    assert "/sent" not in [
        attributes.get("href") for _, attributes in reporter.get("/conversation").page.tags
    ]


def test_a_codename_opens_its_page_however_it_is_spelt(reporter, reporter_at, app):
    words = reporter.report()
    spelt = [
        " ".join(words),
        "-".join(words).upper(),
        "  " + ",\n".join(f"{n}. {word.title()}" for n, word in enumerate(words, 1)) + ".\t",
        "\u2003".join(words),
    ]
    for typed in spelt:
        page = reporter_at(app).come_back(typed)
        assert "nobody has said yet" in page.text, typed


def test_a_slip_is_put_right_and_said_once(reporter, reporter_at, app):
    words = reporter.report()
    longest = max(range(7), key=lambda n: len(words[n]))
    slipped = [*words]
    slipped[longest] = words[longest][:-1] + "qx"
    later = reporter_at(app)
    later.get("/return")
    answer = later.post("/return", {"codename": " ".join(slipped)})
    if answer.status == 303:  # exactly one correction satisfied the check
        assert f"word {longest + 1}" in later.get("/conversation").page.words
        assert f"word {longest + 1} of the codename" not in later.get("/conversation").page.words
    else:
        assert f"word {longest + 1}" in answer.page.words.lower()


def test_what_is_no_codename_is_given_back_with_the_words_named(reporter):
    reporter.get("/return")
    typed = "correct horse zzzzqqq staple battery umbrella seven"
    answer = reporter.post("/return", {"codename": typed})
    assert answer.status == 422
    assert answer.page.textareas["codename"] == typed
    assert "word" in answer.page.words.lower()
    assert reporter.get("/conversation").status == 403


def test_a_conversation_goes_on_and_its_messages_are_counted(
    reporter, reporter_at, app, house, opened, arrived
):
    words = reporter.report("The first of two.")
    later = reporter_at(app)
    later.come_back(words)
    later.choose()
    assert later.write("The second of two.").goes_to == "/conversation"
    page = later.get("/conversation")
    assert "Your message has arrived and is safe." in page.page.words
    assert page.text.count("nobody has said yet") == 2
    assert "The second of two." not in page.text
    assert "arrived and is safe" not in later.get("/conversation").text  # a notice is said once
    reports = [opened(file)[0] for file in arrived(house.config)]
    assert {(report.text, report.first) for report in reports} == {
        ("The first of two.", True),
        ("The second of two.", False),
    }
    assert len({report.conversation.identity for report in reports}) == 1


def test_withdrawing_asks_first_and_deletes_row_and_blob(reporter, house, arrived):
    reporter.report()
    reporter.post("/noted")
    reporter.get("/conversation")
    asked = reporter.post("/withdraw")
    assert asked.status == 200
    assert "Withdraw this message?" in asked.text
    assert len(arrived(house.config)) == 1
    assert reporter.post("/withdraw").goes_to == "/conversation"
    assert "is withdrawn, and deleted here" in reporter.get("/conversation").text
    assert arrived(house.config) == []
    assert "nobody has said yet" not in reporter.get("/conversation").text


def test_what_is_listed_goes_at_the_next_settled_hour_and_nothing_is_promised_about_what_was_fetched(
    reporter, house, arrived, settle
):
    reporter.report()
    settle()
    reporter.post("/noted")
    reporter.get("/conversation")
    asked = " ".join(reporter.post("/withdraw").page.words.split())
    assert "is deleted from the server within hours" in asked
    assert "It may have been fetched already" in asked
    reporter.post("/withdraw")
    page = reporter.get("/conversation")
    assert "If it had been fetched, it may still be read" in page.text
    assert "withdrawn, and deleted within hours" in page.text
    assert "/withdraw" not in page.page.forms
    assert len(arrived(house.config)) == 1
    settle()
    assert arrived(house.config) == []
    assert "You sent a message" not in reporter.get("/conversation").text


def test_what_a_unit_holds_cannot_be_withdrawn(reporter, house, arrived, hold):
    reporter.report()
    reporter.post("/noted")
    reporter.get("/conversation")
    reporter.post("/withdraw")
    hold("test-unit")
    assert reporter.post("/withdraw").goes_to == "/conversation"  # confirmed, but too late
    page = reporter.get("/conversation")
    assert "can no longer be withdrawn" in page.text
    assert "<strong>they say that they have it</strong>" in page.text
    assert len(arrived(house.config)) == 1
    assert "/withdraw" not in reporter.forms


def test_a_withdrawn_slot_and_slots_of_nothing_say_too_late(reporter):
    reporter.report()
    reporter.post("/noted")
    for slot in ("0", "127"):
        reporter.get("/conversation")
        taken = reporter.forms["/withdraw"]["slot"]
        if slot != taken:
            reporter.post("/withdraw", {"slot": slot})
            assert "can no longer be withdrawn" in reporter.get("/conversation").text


def test_an_answer_that_is_deleted_is_gone(reporter, house, answer, secrets_of):
    words = reporter.report()
    answer(words, "Thank you for this.")
    assert "Thank you for this." in reporter.get("/conversation").text
    assert reporter.post("/answer/delete").goes_to == "/conversation"
    page = reporter.get("/conversation")
    assert "The answer is deleted." in page.text
    assert "Thank you for this." not in page.text
    tags = mailbox.tags(secrets_of(words).mailbox_key)
    left = house.store.mailbox([], tags).replies
    assert len(left) == 1, "a row is left in its place, so that its unit cannot see that it went"
    opened = mailbox.ReplyKey(secrets_of(words).reply_seed).open(*left.values())
    assert b"Thank you for this." not in opened
    assert read_deleted(canonical.load(opened), secrets_of(words).header_key).number == 1


def test_another_matter_has_another_codename_and_takes_no_form_of_the_first(
    new_app, unit_keys, reporter_at, arrived
):
    app = new_app(units=[unit_keys.unit])
    config = app.extensions["candour"].config
    reporter = reporter_at(app)
    first = reporter.report()
    reporter.get("/sent")
    reporter.post("/noted")
    old_page = reporter.get("/conversation")
    old_form = reporter.message("Of the first matter.")
    assert reporter.post("/another").goes_to == "/routing"
    reporter.start()
    answer = reporter.deliver(*old_form)
    assert answer.status == 403
    assert answer.typed == "Of the first matter."
    assert "/report" not in reporter.forms  # it is not put into a form of the new matter
    assert len(arrived(config)) == 1
    reporter.last = old_page
    assert reporter.post("/withdraw", {"confirm": "1"}).status == 403
    reporter.get("/report")
    assert reporter.write("Of the second.").goes_to == "/sent"
    assert reporter.codename() != first
    assert reporter.get("/conversation").text.count("nobody has said yet") == 1


def test_a_codename_that_was_not_written_down_is_never_replaced(reporter):
    words = reporter.report()
    reporter.get("/routing")
    assert reporter.begin().goes_to == "/sent"
    reporter.get("/conversation")
    assert reporter.post("/another").goes_to == "/sent"
    assert reporter.codename() == words


def test_another_matter_asks_again_who_it_is_about(reporter):
    reporter.report()
    reporter.get("/sent")
    reporter.post("/noted")
    reporter.get("/conversation")
    assert reporter.post("/another").goes_to == "/routing"
    assert reporter.get("/conversation").status == 403
    reporter.get("/routing")
    assert reporter.begin(force="nowhere").status == 422
    reporter.get("/routing")
    assert reporter.begin("other-unit").goes_to == "/report"
    assert "Other Anti-Corruption Unit" in reporter.get("/report").text


def test_leaving_takes_the_cookie_and_asks_the_browser_to_forget(reporter):
    reporter.report()
    old = reporter.cookie
    reporter.get("/conversation")
    left = reporter.post("/leave")
    assert left.status == 200
    assert left.headers["clear-site-data"] == '"cache", "cookies", "storage"'
    assert re.match(r'candour=("")?; Expires=Thu, 01 Jan 1970', left.cookies[0])
    assert reporter.cookie == ""
    assert reporter.get("/conversation").status == 403
    assert old not in left.text


def test_a_conversation_without_slots_says_so_and_offers_another(reporter, house, secrets_of):
    words = reporter.report()
    form = reporter.get("/conversation").page.forms["/conversation/write"]
    tags = [tag for tag in mailbox.tags(secrets_of(words).receipt_key) if not house.store.was_received(tag)]
    rows = [
        {
            "id": f"{n:032x}",
            "receipt_tag": tag,
            "unit": "test-unit",
            "day": today(),
            "padded_size": 1,
            "state": "new",
        }
        for n, tag in enumerate(tags)
    ]
    with house.store.engine.begin() as connection:
        connection.execute(insert(EnvelopeRow), rows)
    refused = reporter.write("One more.")
    assert refused.status == 409  # its slot was taken meanwhile, and no other is left
    assert refused.typed == "One more."
    page = reporter.get("/conversation")
    assert "Nothing more can be added with this codename" in page.text
    assert "/conversation/write" not in page.page.forms
    assert "/another" in page.page.forms
    assert int(form["slot"]) in range(mailbox.SLOTS)


def test_a_header_that_expired_leaves_an_empty_page_with_a_way_on(reporter, reporter_at, app, house):
    words = reporter.report()
    house.store.sweep(today() + timedelta(days=400), alone=False)
    page = reporter_at(app).come_back(words)
    assert page.status == 200
    assert "no answer here at present" in page.text
