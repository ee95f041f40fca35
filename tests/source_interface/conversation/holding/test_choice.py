"""Who gets what is written, where the reporter chooses: it stands, and it is asked where nobody is to be seen."""

from datetime import timedelta

import pytest
from sqlalchemy import delete

from common.conversation import mailbox
from common.conversation.destination import Destination
from common.days import today
from common.registry.units import Status
from common.report.report import SEVERAL
from common.store.models import ReplyRow

pytestmark = pytest.mark.slow

NEXT = "We look into it now."
A, B, C = "test-unit", "other-unit", "test-charity"


@pytest.mark.parametrize(("force", "unit"), [("test-force", A), ("not-known", C)])
def test_the_reporter_chooses_even_the_first_holder_and_the_conversation_remembers(
    force, unit, words, reporter, form, waiting, status_of, say, hand_over, shown, asked, choose, goes_to
):
    hand_over(words)
    status_of(Status.SUSPENDED)
    assert asked(form)
    choose(force)
    assert "as you chose" in reporter.get("/conversation").page.words
    assert goes_to(first=True) == unit
    say(words, NEXT, by=B, slot=8)
    say(words, "Third.", by=unit, slot=9)
    for _ in range(2):
        reporter.come_back(words)
        assert "Nobody, at present" not in reporter.last.page.words
        assert shown() == {"Third."}
        assert goes_to() == unit
    status_of(Status.ENROLLED)  # what the reporter chose is not undone
    assert goes_to() == unit


def test_who_was_chosen_at_the_very_first_is_not_chosen_again_by_that(
    words, form, status_of, hand_over, asked
):
    """The browser is still the one in which the report was begun."""
    hand_over(words)
    status_of(Status.SUSPENDED)
    assert asked(form)


@pytest.mark.parametrize("when", ["before it is shown", "after it was shown"])
def test_what_the_reporter_chose_stands_though_the_unit_is_enrolled_again(
    when, words, reporter, waiting, status_of, hand_over, choose
):
    hand_over(words)
    status_of(Status.SUSPENDED)
    reporter.get("/conversation")
    choose("not-known")
    if when == "before it is shown":
        status_of(Status.ENROLLED)
    page = reporter.get("/conversation")
    assert "as you chose" in page.page.words
    form = reporter.message("For whom I chose.")
    if when == "after it was shown":
        status_of(Status.ENROLLED)
    assert reporter.deliver(*form).status == 303
    assert {one: len(waiting(one)) for one in (A, B, C)} == {A: 1, B: 0, C: 1}


def test_where_who_was_chosen_can_receive_nothing_it_is_asked_anew(
    words, reporter, form, waiting, register, status_of, hand_over, choose, asked
):
    hand_over(words)
    status_of(Status.SUSPENDED)
    choose()
    register({0: {"status": Status.SUSPENDED}})  # and B is there again
    assert "Who you chose can receive nothing here any more" in reporter.get("/conversation").page.words
    assert asked(form)
    assert not waiting(B)
    assert reporter.get("/conversation/routing").status == 200


def test_a_choice_stands_against_all_that_was_handed_over_before(
    words, reporter, form, status_of, hand_over, choose, goes_to, asked
):
    hand_over(words)
    hand_over(words, A, C, slot=51)
    status_of(Status.SUSPENDED)
    assert asked(form)
    choose()
    assert goes_to(first=True) == A
    reporter.come_back(words)
    assert "Nobody, at present" not in reporter.last.page.words
    status_of(Status.ENROLLED)
    reporter.get("/conversation")
    choose()
    assert goes_to() == A
    hand_over(words, A, C, slot=52)  # and what is handed over after it counts
    assert goes_to() == C


def test_whether_units_are_involved_is_asked_again_and_goes_on_as_it_is_answered(
    words, reporter, house, waiting, status_of, header_of, hand_over, choose, opened, keys_of
):
    hand_over(words)
    status_of(Status.SUSPENDED)
    choose("not-known", involved="not-sure")
    reporter.get("/conversation")
    assert reporter.write("More.").status == 303
    [one] = waiting(C)
    assert opened(house.store.blobs._path(one), keys_of[C])[0].involved
    assert header_of(words).destination.involved


def test_what_was_to_be_kept_from_it_is_asked_again_and_goes_on_with_what_is_chosen(
    words, reporter, house, waiting, status_of, header_to, header_of, hand_over, choose, opened, keys_of
):
    header_to(words, header_of(words), kept_from="other-force")
    hand_over(words)
    status_of(Status.SUSPENDED)
    page = reporter.get("/conversation/routing")
    assert 'value="other-force" selected' in page.text
    choose("not-known", keep_from="more")
    reporter.get("/conversation")
    assert reporter.write("More.").status == 303
    [one] = waiting(C)
    assert opened(house.store.blobs._path(one), keys_of[C])[0].kept_from == SEVERAL
    assert header_of(words).destination.kept_from == SEVERAL


@pytest.fixture
def no_header(house, secrets_of, headers_of):
    """As it is when a year has passed, or a row was deleted: nothing says any more who holds the conversation."""

    def lose(words):
        tags = mailbox.tags(secrets_of(words).header_tag_key, mailbox.MESSAGE_SLOTS)
        with house.store.engine.begin() as connection:
            connection.execute(delete(ReplyRow).where(ReplyRow.tag.in_(tags)))
        assert headers_of(words) == {}

    return lose


def test_without_a_header_nothing_goes_to_anybody_before_the_questions_are_answered_again(
    words, reporter, no_header, choose, goes_to, header_of, waiting, say, shown
):
    """It went to the only unit that was enrolled, or to the charity's desk: even where it was about that one."""
    no_header(words)
    reporter.come_back(words)
    assert "/conversation/write" not in reporter.forms
    page = reporter.get("/conversation/routing")
    assert 'force" selected' not in page.text
    choose("other-force", involved="yes", keep_from="test-force")
    assert goes_to(first=True) == C
    assert header_of(words).holders == (C,)
    assert header_of(words).destination == Destination(C, "", "test-force", involved=True)
    assert len(waiting(A)) == 1
    no_header(words)
    say(words, NEXT, by=C, slot=7)
    assert shown() == {NEXT}, "an answer is not lost with the header"


def test_every_message_renews_it_under_a_tag_of_its_own_and_leaves_the_others_as_they_are(
    words, house, secrets_of, headers_of, goes_to
):
    def rows():
        with house.store.engine.connect() as connection:
            return {row.tag: row for row in connection.execute(ReplyRow.__table__.select())}

    before, known = rows(), headers_of(words)
    assert goes_to() == A
    after = rows()
    assert {tag: after[tag] for tag in before} == before
    [new] = set(after) - set(before)
    assert after[new].expires == today() + timedelta(days=365)
    [slot] = set(headers_of(words)) - set(known)
    assert headers_of(words)[slot].sequence == max(one.sequence for one in known.values()) + 1
    assert new == mailbox.tags(secrets_of(words).header_tag_key, mailbox.MESSAGE_SLOTS)[slot]


def test_where_nothing_is_to_be_seen_choosing_the_same_goes_on_as_before(
    words, reporter, choose, goes_to, header_of
):
    first = header_of(words)
    reporter.come_back(words)
    assert "/conversation/write" not in reporter.forms
    choose()
    assert goes_to() == A
    assert (header_of(words).first_link, header_of(words).holders) == (first.first_link, (A,))
    assert goes_to() == A, "in this visit it is known from now on"


@pytest.mark.parametrize("chosen", ["test-unit", "other-unit"])
def test_what_was_asked_before_is_not_forgotten_by_a_choice_that_was_not_shown_it(
    chosen, words, reporter, header_of, header_to
):
    """But for whoever now chooses a unit of that very force."""
    header_to(words, header_of(words), kept_from="other-force", involved=True)
    reporter.come_back(words)
    reporter.choose(chosen)
    reporter.write("More.")
    kept_from = "other-force" if chosen == "test-unit" else ""
    assert header_of(words).destination == Destination(chosen, "", kept_from, involved=True)


def test_the_first_sequence_tells_nothing(reporter_at, app, header_of):
    drawn = {header_of(reporter_at(app).report()).sequence for _ in range(3)}
    assert len(drawn) == 3
    assert max(drawn) > 1000


def test_what_is_kept_from_whom_is_not_told_to_whoever_tries_a_codename(
    words, reporter, header_of, header_to
):
    header_to(words, header_of(words), kept_from="other-force")
    reporter.come_back(words)
    assert 'value="other-force" selected' not in reporter.get("/conversation/routing").text
