"""Who reads and answers once a conversation was handed over, and what an old holder can still do: nothing."""

import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.conversation import mailbox
from common.conversation.links import new_link
from common.registry.units import Status
from common.report.padding import PAGE_BYTES

pytestmark = pytest.mark.slow

BEFORE, AFTER, NEXT = "We have read it.", "Do come to our office.", "We look into it now."
A, B, C = "test-unit", "other-unit", "test-charity"


def test_the_new_holder_answers_and_the_old_one_s_later_answers_are_not_shown(
    words, reporter, say, hand_over, shown, goes_to
):
    stands = say(words, BEFORE, slot=7)
    assert goes_to() == A
    hand_over(words, standing=[stands])
    say(words, AFTER, slot=8, number=2)
    say(words, NEXT, by=B, slot=9)
    assert shown() == {BEFORE, NEXT}
    page = reporter.get("/conversation").page.words
    assert "Other Anti-Corruption Unit can open what you write here, and answer" in page
    assert "Test Anti-Corruption Unit passed your report on" in page
    assert "add nothing here, and see who else can help" in " ".join(page.split())
    assert goes_to() == B


def test_the_page_says_nothing_of_a_holder_where_nothing_was_handed_over(words, reporter, say):
    say(words, BEFORE, slot=7)
    assert "Who reads this now" not in reporter.get("/conversation").text


def test_an_answer_that_stands_cannot_be_given_other_words_afterwards(words, say, hand_over, shown):
    stands = say(words, BEFORE, slot=99)
    hand_over(words, standing=[stands])
    say(words, AFTER, slot=1, identity=stands.identity)
    assert shown() == {BEFORE}


def test_a_chain_is_followed_to_its_end_and_a_loop_is_not(words, say, hand_over, shown, goes_to):
    kept = say(words, BEFORE, slot=7), say(words, NEXT, by=B, slot=8)
    hand_over(words, A, B, slot=50, standing=kept[:1])
    hand_over(words, B, C, slot=40, standing=kept[1:])
    hand_over(words, C, A, slot=60, chain=(B, C))
    hand_over(words, C, C, slot=61, chain=(B, C))
    say(words, AFTER, slot=9)
    say(words, "Third.", by=C, slot=10)
    assert shown() == {BEFORE, NEXT, "Third."}
    assert goes_to() == C


@pytest.mark.parametrize("harm", [None, Status.SUSPENDED, Status.NOT_YET])
def test_what_was_handed_over_to_who_is_not_enrolled_goes_to_nobody_unasked(
    harm, words, reporter, form, status_of, say, hand_over, shown, asked
):
    stands = say(words, BEFORE, slot=7)
    hand_over(words, standing=[stands])
    say(words, AFTER, slot=6)
    say(words, NEXT, by=B, slot=8)
    status_of(harm)
    assert shown() == {BEFORE}
    page = reporter.last.page.words
    assert "Nobody, at present" in page
    assert "Test Anti-Corruption Unit passed your report on" in page
    assert ("to Other Anti-Corruption Unit" in page) == (harm is not None)
    assert asked(form)


def test_when_the_unit_is_enrolled_again_it_has_the_conversation(
    words, form, status_of, hand_over, goes_to, asked
):
    hand_over(words)
    status_of(Status.SUSPENDED)
    assert asked(form)
    status_of(Status.ENROLLED)
    assert goes_to() == B


def test_what_a_suspended_unit_handed_over_stays_with_nobody(
    words, form, register, say, hand_over, shown, asked
):
    """Its key may be in wrong hands, so it gives away nothing; and what is added goes nowhere without being asked."""
    hand_over(words)
    say(words, NEXT, by=B, slot=8)
    register({0: {"status": Status.SUSPENDED}})
    assert shown() == set()
    assert asked(form)


REWRITTEN = "Not as you wrote it: in their own words, and without files."
COPY = "A copy went to Test Charity as well."


@pytest.mark.parametrize("now", [Status.ENROLLED, Status.SUSPENDED, None])
def test_who_got_a_copy_and_that_it_was_rewritten_is_said_whoever_has_it_now(
    now, words, reporter, registry, status_of, hand_over, choose
):
    hand_over(words)
    plain = reporter.get("/conversation").page.words
    assert "Not as you wrote it" not in plain
    assert "A copy went" not in plain
    charity = next(unit.name for unit in registry.units if unit.id == C)
    hand_over(words, slot=51, copy_to=C, rewritten=True)
    status_of(now)
    said = [REWRITTEN, COPY.replace("Test Charity", charity)]
    page = reporter.get("/conversation").page.words
    assert ("Nobody, at present" in page) == (now is not Status.ENROLLED)
    assert [page.count(one) for one in said] == [1, 1]
    if now is Status.SUSPENDED:
        choose()
        page = reporter.get("/conversation").page.words
        assert "as you chose" in page
        assert [page.count(one) for one in said] == [1, 1]


def test_a_copy_to_one_that_left_the_registry_is_said_too(words, reporter, hand_over):
    hand_over(words, copy_to="gone-body")
    page = reporter.get("/conversation").page.words
    assert "A copy went to one that is no longer here as well." in page


def test_no_unit_but_the_holder_hands_it_over(words, say, hand_over, shown, goes_to):
    hand_over(words, B, C, slot=31)  # as if it had it already
    hand_over(words, C, B, slot=33)
    hand_over(words, B, C, slot=34, after=new_link())
    say(words, NEXT, by=B, slot=8)
    say(words, BEFORE, slot=9)
    assert shown() == {BEFORE}
    assert goes_to() == A


def test_who_has_a_copy_or_had_it_before_cannot_silence_the_holder(
    words, reporter, say, hand_over, header_of, shown, goes_to
):
    """A forged handover hid the true holder's answers, and blamed it."""
    say(words, BEFORE, slot=7)
    held_at = header_of(words).link
    hand_over(words, A, B, slot=32, signed_by=B)  # in A's name
    assert shown() == {BEFORE}
    assert "Nobody, at present" not in reporter.last.page.words
    assert goes_to() == A
    hand_over(words)
    assert goes_to() == B  # and the header says so from now on
    say(words, NEXT, by=B, slot=8)
    hand_over(words, A, C, slot=33, after=held_at)
    hand_over(words, A, C, slot=34, after=header_of(words).link)
    say(words, AFTER, slot=9, number=2)
    assert shown() == {NEXT}
    assert goes_to() == B


def test_a_former_holder_cannot_say_afterwards_what_else_stood_nor_how_it_went(
    words, say, hand_over, header_of, shown, goes_to, reporter
):
    stands = say(words, BEFORE, slot=7)
    held_at = header_of(words).link
    hand_over(words, standing=[stands])
    assert goes_to() == B
    late = say(words, AFTER, slot=8, number=2)
    hand_over(words, standing=[stands, late], slot=51, after=held_at, copy_to=C, rewritten=True)
    assert shown() == {BEFORE}
    page = reporter.get("/conversation").page.words
    assert "A copy went" not in page
    assert "Not as you wrote it" not in page


def test_however_many_a_holder_names_the_page_names_few(words, reporter, hand_over):
    for slot in range(40):
        hand_over(words, A, f"invented-{slot}", slot=slot)
    page = reporter.get("/conversation")
    assert page.page.words.count("one that is no longer here") == 1
    assert len(page.body) < PAGE_BYTES


def test_a_former_holder_that_says_it_again_before_the_reporter_wrote_silences_nobody(
    words, reporter, form, say, hand_over, shown, asked, choose, goes_to
):
    """It can do no more than have the reporter asked; and once asked, it is out."""
    hand_over(words)
    say(words, NEXT, by=B, slot=8)
    hand_over(words, A, C, slot=51)
    say(words, "Third.", by=C, slot=9)
    say(words, BEFORE, slot=10)
    assert shown() == {NEXT, "Third.", BEFORE}
    assert "names more than one who has it now" in reporter.last.page.words
    assert asked(form)
    choose("other-force")
    assert goes_to(first=True) == B
    hand_over(words, A, C, slot=52)
    assert shown() == {NEXT}
    assert goes_to() == B


@pytest.fixture
def new_key(register, registry):
    """The first unit has another key that signs answers. `former`: the registry says what it had before."""

    def put(*, former):
        public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        before = (registry.units[0].reply_key,) if former else ()
        register({0: {"reply_key": public, "former_reply_keys": before}})

    return put


def test_a_handover_that_a_former_key_signed_goes_to_nobody_until_the_reporter_has_chosen(
    words, reporter, form, waiting, new_key, say, hand_over, shown, asked, goes_to, choose
):
    """It said so before its key was stolen and made anew, or the thief did."""
    hand_over(words)
    say(words, NEXT, by=B, slot=8)
    say(words, BEFORE, slot=9)
    new_key(former=True)
    reporter.get("/conversation")
    assert (
        "It seems that Test Anti-Corruption Unit passed your report on to Other" in reporter.last.page.words
    )
    assert shown() == {NEXT}, "an answer that a former key signed may be the thief's"
    assert asked(form)
    assert len(waiting(A)) == 1
    choose("other-force")
    assert goes_to(first=True) == B


def test_what_no_key_of_the_unit_signed_is_nothing(words, new_key, hand_over, goes_to):
    hand_over(words)
    new_key(former=False)
    assert goes_to() == A


def test_what_claims_to_be_of_another_conversation_is_no_claim(
    app, words, reporter_at, say, hand_over, shown, goes_to
):
    hand_over(words, of=reporter_at(app).report())
    say(words, NEXT, by=B, slot=8)
    assert shown() == set()
    assert goes_to() == A


def test_once_the_reporter_has_written_to_the_next_holder_no_old_key_is_needed(
    words, reporter, header_of, new_key, say, hand_over, shown, goes_to
):
    stands = say(words, BEFORE, slot=7)
    hand_over(words, standing=[stands])
    assert goes_to() == B
    assert header_of(words).holders == (A, B)
    say(words, NEXT, by=B, slot=8)
    say(words, AFTER, slot=9, number=2)
    assert shown() == {BEFORE, NEXT}
    hand_over(words, B, A, slot=60)
    assert goes_to() == B, "nobody gets back what it gave away"
    new_key(former=True)
    assert goes_to() == B
    page = reporter.get("/conversation").page.words
    assert "Test Anti-Corruption Unit passed your report on" in page
    assert shown() == {NEXT}


def test_what_was_written_before_a_handover_arrived_goes_to_nobody_who_was_not_shown(
    words, reporter, waiting, hand_over, say
):
    say(words, BEFORE, slot=7)
    reporter.come_back(words)
    form = reporter.message("For the first unit's eyes.")
    hand_over(words)
    refused = reporter.deliver(*form)
    assert refused.status == 409
    assert refused.typed == "For the first unit's eyes."
    assert "can be opened by Other Anti-Corruption Unit" in refused.page.words
    assert "Other Anti-Corruption Unit can open what you write here" in refused.page.words
    assert [len(waiting(one)) for one in (A, B)] == [1, 0]
    assert reporter.write(refused.typed).status == 303
    assert [len(waiting(one)) for one in (A, B)] == [1, 1]


def test_a_word_for_others_than_the_page_shows_sends_nothing(words, reporter, reporter_at, app, waiting, say):
    say(words, BEFORE, slot=7)
    reporter.come_back(words)
    elsewhere = reporter_at(app)
    elsewhere.report()
    other = elsewhere.get("/conversation").page.forms["/conversation/write"]["addressees"]
    for word in ("", "x", "\u00e9", other):
        assert reporter.write("Words.", addressees=word).status == 409
    assert len(waiting(A)) == 2, "the first report of each"


def test_a_first_overseer_that_is_gone_does_not_take_the_conversation_from_a_later_holder(
    words, form, header_of, header_to, hand_over, asked, goes_to
):
    header_to(words, header_of(words), second="old-overseer")
    assert asked(form)
    hand_over(words)
    assert goes_to() == B


@pytest.mark.parametrize("why", ["suspended", "kept from it"])
def test_where_the_next_holder_has_no_second_seal_now_the_page_says_so(
    why, words, reporter, waiting, register, registry, overseer_keys, header_of, header_to, hand_over, goes_to
):
    serves = (registry.units[0].serves[0],) if why == "kept from it" else ()
    status = Status.SUSPENDED if why == "suspended" else Status.ENROLLED
    body = replace(overseer_keys.unit, status=status, serves=serves)
    register({0: {"serves": ()}, 1: {"second_seal": body.id}}, body)
    if why == "kept from it":
        header_to(words, header_of(words), kept_from="test-force")
    hand_over(words)
    page = reporter.come_back(words).page.words
    assert "A second copy often goes to an oversight body as well. This time it does not." in page
    assert body.name not in page
    assert goes_to() == B
    assert not waiting(body.id)


def test_who_gave_it_away_gets_no_copy_of_what_is_written_afterwards(
    words, reporter, waiting, register, overseer_keys, keys_of, header_of, header_to, hand_over, goes_to
):
    body = overseer_keys.unit
    keys_of[body.id] = overseer_keys
    register({1: {"second_seal": body.id}}, body)
    header_to(words, replace(header_of(words), before=(A,)), unit=body.id)
    hand_over(words, body.id, B)
    page = reporter.come_back(words).page.words
    assert f"A second copy is locked for {body.name}" not in page
    assert "This time it does not." in page
    assert goes_to() == B
    assert not waiting(body.id)


def test_a_next_holder_that_must_not_see_it_is_named_as_such(
    words, reporter, header_of, header_to, hand_over
):
    said = "You asked that a force must not see this, and Other Anti-Corruption Unit serves it"
    hand_over(words)
    assert said not in reporter.get("/conversation").page.words
    header_to(words, header_of(words), kept_from="other-force")
    assert said in reporter.get("/conversation").page.words


def test_a_unit_that_is_given_what_units_may_be_involved_in_is_named_as_such(
    words, reporter, header_of, header_to, hand_over
):
    said = "about somebody of the unit, or above it, and Other Anti-Corruption Unit is a unit of a force."
    hand_over(words)
    assert said not in reporter.get("/conversation").page.words
    header_to(words, header_of(words), involved=True)
    assert said in reporter.get("/conversation").page.words


def test_junk_beside_a_handover_changes_nothing(words, secrets_of, hand_over, put_item, put_row, say, shown):
    hand_over(words)
    say(words, NEXT, by=B, slot=8)
    for slot, plain in enumerate(
        (b"{}", b'{"body":{"next":7,"unit":"test-unit"}}', b'{"body":{"next":"x"}}'), 1
    ):
        put_item(words, slot, plain.ljust(8192))
    put_row(mailbox.tags(secrets_of(words).mailbox_key)[4], os.urandom(9328))
    assert shown() == {NEXT}


def test_the_fullest_first_page_of_a_conversation_has_the_size_of_any_other(
    app, reporter, register, overseer_keys, identity_keys, keys_of, say, hand_over, goes_to, house
):
    """Passed on, rewritten, copied, answered at length by two, with gaps, four messages of two copies, and a notice."""
    body, long = (
        overseer_keys.unit,
        "A Force of a Rather Long Name and Its Anti-Corruption and Counter-Corruption Unit",
    )
    identity = {
        name: getattr(identity_keys.unit, name)
        for name in ("identity_certificate", "identity_fingerprint", "identity_holders")
    }
    register({0: {"name": f"{long} A"}, 1: {"name": f"{long} B", "second_seal": body.id, **identity}}, body)
    keys_of[body.id] = overseer_keys
    reporter.get("/routing")
    reporter.begin()
    reporter.get("/report")
    reporter.write("It happened at the yard.")
    words = reporter.codename()
    stands = say(words, "&" * 2_400, slot=7, number=9)
    hand_over(words, standing=[stands], copy_to=body.id, rewritten=True)
    for _ in range(4):
        reporter.get("/conversation")
        assert reporter.write("More.").status == 303
    for number in (3, 6):
        say(words, "'" * 3_500, by=B, slot=10 + number, number=number)
    page = reporter.get("/conversation")
    for part in (
        "Not as you wrote it",
        "A copy went to",
        "missing between",
        "How to reach you",
        "Page 1 of 2",
        long,
    ):
        assert part in page.page.words, part
    assert len(page.body.rstrip()) < PAGE_BYTES - 1_500, "with its head, and room for a sentence more"
