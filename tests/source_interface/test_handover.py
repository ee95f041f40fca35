"""Who reads and answers once a conversation was handed over, and what an old holder can still do: nothing."""

import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import mailbox, reply
from common.conversation import links, new_link
from common.days import today
from common.header import Header
from common.report import SEVERAL
from common.reply import Handover
from common.units import Status
from keys.registry import sign_registry

BEFORE, AFTER, NEXT = "We have read it.", "Do come to our office.", "We look into it now."
A, B, C = "test-unit", "other-unit", "test-charity"


@pytest.fixture
def words(reporter):
    return reporter.report()


@pytest.fixture
def keys_of(unit_keys, other_unit_keys, charity_keys):
    return {A: unit_keys, B: other_unit_keys, C: charity_keys}


@pytest.fixture
def hand_over(conversation_of, signer, keys_of, header_of, put_item):
    """Posts a handover as desk, courier and settlement do. `chain`: who had it from the header's holder on, to `by`."""

    def post(words, by=A, to=B, *, slot=50, standing=(), signed_by=None, of=None, chain=(), after="", **how):
        header, identity = header_of(words), conversation_of(words).identity
        link = after or links(header.first_link, (*header.holders, *(chain or ((by,) * (by != header.holder)))))[-1]
        digests = frozenset(reply.digest(one, identity) for one in standing)
        said = Handover(f"{slot:032x}", by, to, today(), link, digests, **how)
        named = conversation_of(of or words).identity
        put_item(words, slot, reply.compose_handover(said, named, signer(keys_of[signed_by or by])))

    return post


@pytest.fixture
def say(conversation_of, signer, keys_of, put_item):
    """Posts an answer, and returns it."""

    def post(words, text, by=A, *, slot, number=1, identity=None):
        said = reply.new_reply(by, today(), number, text)
        said = replace(said, identity=identity or said.identity)
        put_item(words, slot, reply.compose(said, conversation_of(words).identity, signer(keys_of[by])))
        return said

    return post


@pytest.fixture
def shown(reporter):
    """The texts of the answers on the conversation's page."""

    def look():
        page = reporter.get("/conversation")
        assert page.status == 200
        return {text for text in (BEFORE, AFTER, NEXT, "Third.") if text in page.text}

    return look


@pytest.fixture
def goes_to(reporter, waiting, opened, keys_of, house):
    """The unit that a follow-up is sealed to: it opens there, and nowhere else. The status, where nothing is sent."""

    def send(*, first=False):
        had = {unit: set(waiting(unit)) for unit in keys_of}
        reporter.get("/conversation")
        answer = reporter.write("One thing more.")
        if answer.status != 303:
            assert {unit: set(waiting(unit)) for unit in keys_of} == had
            return answer.status
        [(unit, sealed)] = [(one, new) for one in keys_of for new in set(waiting(one)) - had[one]]
        report, _ = opened(house.store.blobs.path(sealed), keys_of[unit])
        assert (report.first, report.unit) == (first, unit)
        return unit

    return send


@pytest.fixture
def asked(reporter, waiting):
    """True when nothing can be written before the reporter has chosen, and nothing is sent by the form of before."""

    def look(form):
        page = reporter.get("/conversation")
        assert "/conversation/write" not in page.page.forms
        had = {unit: waiting(unit) for unit in (A, B, C)}
        refused = reporter.deliver(*form)
        assert "Choose who can open it" in refused.page.words
        assert {unit: waiting(unit) for unit in (A, B, C)} == had
        return refused.status == 409

    return look


@pytest.fixture
def form(words, reporter):
    """A message as it was written before something changed."""
    reporter.get("/conversation")
    return reporter.message("One thing more.")


def test_the_new_holder_answers_and_the_old_one_s_later_answers_are_not_shown(
    words, reporter, say, hand_over, shown, goes_to
):
    stands = say(words, BEFORE, slot=7)
    assert goes_to() == A
    hand_over(words, standing=[stands])
    say(words, AFTER, slot=8)
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
    hand_over(words, C, A, slot=60)
    hand_over(words, C, C, slot=61)
    say(words, AFTER, slot=9)
    say(words, "Third.", by=C, slot=10)
    assert shown() == {BEFORE, NEXT, "Third."}
    assert goes_to() == C


@pytest.fixture
def status_of(house, root_key, registry):
    """Signs a newer registry in which the second unit has another status, or is not there."""

    def put(status, version=2):
        first, second, *rest = registry.units
        kept = (replace(second, status=status),) if status else ()
        draft = replace(registry, version=version, units=(first, *kept, *rest))
        house.config.registry.write_bytes(sign_registry(draft, root_key.file))

    return put


@pytest.fixture
def yesterday(house, header_to):
    """Says that a conversation's header and handovers are of yesterday."""

    def put(words):
        header_to(words, reply.Header(A, today() - timedelta(days=1)))
        with house.store.engine.begin() as connection:
            connection.execute(update(ReplyRow).values(day=today() - timedelta(days=1)))

    return put


@pytest.fixture
def choose(reporter):
    """Chooses who can open it from now on: a force's unit."""

    def again(force="test-force"):
        reporter.get("/conversation/routing")
        assert reporter.post("/conversation/routing", {"force": force, "involved": "no"}).status == 200
        assert "It is chosen" in reporter.post("/conversation/routing", {"do": "begin"}).page.words

    return again


@pytest.fixture
def header_row(house, secrets_of):
    """The sealed header of a conversation."""
    return lambda words: house.store.reply(mailbox.tags(secrets_of(words).mailbox_key)[mailbox.HEADER_SLOT])


@pytest.fixture
def header_of(secrets_of, header_row):
    """What the header says."""

    def read(words):
        found = secrets_of(words)
        return reply.read_header(mailbox.ReplyKey(found.reply_seed).open(header_row(words)), found.header_key)

    return read


@pytest.fixture
def header_to(house, secrets_of):
    """Puts another header into a conversation."""

    def put(words, header):
        found = secrets_of(words)
        tag = mailbox.tags(found.mailbox_key)[mailbox.HEADER_SLOT]
        plain = reply.compose_header(header, found.header_key)
        sealed = mailbox.seal(plain, mailbox.ReplyKey(found.reply_seed).public())
        with house.store.engine.begin() as connection:
            connection.execute(update(ReplyRow).where(ReplyRow.tag == tag).values(ciphertext=sealed))

    return put


@pytest.mark.parametrize("harm", [None, Status.SUSPENDED, Status.NOT_YET])
def test_what_was_handed_over_to_who_is_not_enrolled_goes_to_nobody_unasked(
    harm, words, reporter, house, status_of, say, hand_over, shown, goes_to
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
    assert goes_to() == 409
    assert "Choose who can open it" in reporter.last.page.words
    assert not house.store.waiting(B)
    assert not house.store.waiting(C)
    assert len(house.store.waiting(A)) == 1


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


@pytest.mark.parametrize(("force", "unit"), [("test-force", A), ("not-known", C)])
def test_the_reporter_then_chooses_even_the_first_holder_and_the_conversation_remembers(
    force, unit, words, reporter, house, status_of, yesterday, say, hand_over, shown, goes_to
):
    hand_over(words)
    yesterday(words)
    status_of(Status.SUSPENDED)
    assert goes_to() == 409
    reporter.get("/conversation/routing")
    assert reporter.post("/conversation/routing", {"force": force, "involved": "no"}).status == 200
    chosen = reporter.post("/conversation/routing", {"do": "begin"})
    assert "Nothing has been sent yet" in chosen.page.words
    assert "as you chose" in reporter.get("/conversation").page.words
    assert goes_to(first=True) == unit
    say(words, NEXT, by=B, slot=8)
    for _ in range(2):
        reporter.come_back(words)
        assert "Nobody, at present" not in reporter.last.page.words
        assert shown() == set()
        had = len(house.store.waiting(unit))
        assert reporter.write("And more.").status == 303
        assert len(house.store.waiting(unit)) == had + 1
    status_of(Status.ENROLLED, version=3)  # what the reporter chose is not undone
    assert goes_to() == unit


def test_who_was_chosen_at_the_very_first_is_not_chosen_again_by_that(
    words, reporter, house, status_of, hand_over
):
    """The browser is still the one in which the report was begun."""
    hand_over(words)
    status_of(Status.SUSPENDED)
    reporter.get("/conversation")
    assert reporter.write("One thing more.").status == 409
    assert len(house.store.waiting(A)) == 1


def test_when_the_unit_is_enrolled_again_it_has_the_conversation(words, status_of, hand_over, goes_to):
    hand_over(words)
    status_of(Status.SUSPENDED)
    assert goes_to() == 409
    status_of(Status.ENROLLED, version=3)
    assert goes_to() == B


def test_what_a_suspended_unit_handed_over_stays_with_nobody(
    words, house, root_key, registry, say, hand_over, shown, goes_to
):
    """Its key may be in wrong hands, so it gives away nothing; and what is added goes nowhere without being asked."""
    hand_over(words)
    say(words, NEXT, by=B, slot=8)
    first, *rest = registry.units
    draft = replace(registry, version=2, units=(replace(first, status=Status.SUSPENDED), *rest))
    house.config.registry.write_bytes(sign_registry(draft, root_key.file))
    assert shown() == set()
    assert goes_to() == 409


def test_no_unit_but_the_holder_hands_it_over(words, say, hand_over, shown, goes_to):
    hand_over(words, B, B, slot=30)
    hand_over(words, B, C, slot=31)
    hand_over(words, C, B, slot=33)
    say(words, NEXT, by=B, slot=8)
    say(words, BEFORE, slot=9)
    assert shown() == {BEFORE}
    assert goes_to() == A


def test_a_claim_of_the_holder_that_it_did_not_sign_goes_to_nobody_until_the_reporter_has_chosen(
    words, reporter, house, choose, hand_over, goes_to
):
    """Whoever held it or had a copy can do that. It gives them nothing: the reporter is asked, and decides."""
    hand_over(words, A, B, slot=32, signed_by=B)
    page = reporter.get("/conversation").page.words
    assert "Nobody, at present" in page
    assert "their keys are new since" in page
    assert goes_to() == 409
    assert not house.store.waiting(B)
    choose()
    assert goes_to(first=True) == A
    reporter.come_back(words)
    assert "Nobody, at present" not in reporter.last.page.words
    assert goes_to() == A


def test_what_claims_to_be_of_another_conversation_is_no_claim(app, words, reporter_at, hand_over, goes_to):
    hand_over(words, A, B, slot=32, signed_by=B, of=reporter_at(app).report())
    assert goes_to() == A


@pytest.fixture
def new_key(house, root_key, registry):
    """The first unit has another key that signs answers, and is enrolled with it."""

    def put(version=2):
        first, *rest = registry.units
        public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        draft = replace(registry, version=version, units=(replace(first, reply_key=public), *rest))
        house.config.registry.write_bytes(sign_registry(draft, root_key.file))

    return put


def test_a_unit_with_a_new_key_gets_nothing_back_that_it_gave_away(
    words, reporter, house, new_key, hand_over, goes_to, choose
):
    hand_over(words)
    new_key()
    reporter.come_back(words)
    assert "It seems that Test Anti-Corruption Unit passed your report on" in reporter.last.page.words
    assert goes_to() == 409
    assert len(house.store.waiting(A)) == 1
    choose("other-force")
    assert goes_to(first=True) == B


def test_once_the_reporter_has_written_to_the_next_holder_no_old_key_is_needed(
    words, reporter, house, header_of, new_key, say, hand_over, shown, goes_to
):
    stands = say(words, BEFORE, slot=7)
    hand_over(words, standing=[stands])
    assert goes_to() == B
    assert (header_of(words).unit, header_of(words).before) == (B, (A,))
    say(words, NEXT, by=B, slot=8)
    say(words, AFTER, slot=9)
    assert shown() == {BEFORE, NEXT}
    hand_over(words, B, A, slot=60)
    hand_over(words, A, C, slot=61, identity="0" * 32)
    assert goes_to() == B, "nobody gets back what it gave away"
    new_key()
    assert goes_to() == B
    page = reporter.get("/conversation").page.words
    assert "Test Anti-Corruption Unit passed your report on" in page
    assert shown() == {NEXT}


def test_a_later_message_without_a_handover_leaves_the_header_as_it_is(words, header_row, goes_to):
    before = header_row(words)
    assert goes_to() == A
    assert header_row(words) == before


def test_what_was_written_before_a_handover_arrived_goes_to_nobody_who_was_not_shown(
    words, reporter, house, hand_over
):
    reporter.come_back(words)
    form = reporter.message("For the first unit's eyes.")
    hand_over(words)
    refused = reporter.deliver(*form)
    assert refused.status == 409
    assert refused.typed == "For the first unit's eyes."
    assert "can be opened by Other Anti-Corruption Unit" in refused.page.words
    assert "Other Anti-Corruption Unit can open what you write here" in refused.page.words
    assert [len(house.store.waiting(one)) for one in (A, B)] == [1, 0]
    assert reporter.write(refused.typed).status == 303
    assert [len(house.store.waiting(one)) for one in (A, B)] == [1, 1]


def test_a_word_for_others_than_the_page_shows_sends_nothing(words, reporter, reporter_at, app, house):
    reporter.come_back(words)
    other = reporter_at(app).come_back(words).page.forms["/conversation/write"]["addressees"]
    for word in ("", "x", "\u00e9", other):
        assert reporter.write("Words.", addressees=word).status == 409
    assert len(house.store.waiting(A)) == 1


@pytest.mark.parametrize("tab", ["shown", "before"])
def test_what_the_reporter_chose_stands_though_the_unit_is_enrolled_again(
    tab, words, reporter, house, status_of, hand_over, choose
):
    hand_over(words)
    status_of(Status.SUSPENDED)
    page = reporter.get("/conversation")
    choose("not-known")
    if tab == "shown":
        page = reporter.get("/conversation")
        assert "as you chose" in page.page.words
    form = reporter.message("For whom I chose.") if tab == "shown" else None
    status_of(Status.ENROLLED, version=3)
    reporter.last = page
    answer = reporter.deliver(*form) if form else reporter.write("For whom I chose.")
    assert answer.status == 303
    assert {one: len(house.store.waiting(one)) for one in (A, B, C)} == {A: 1, B: 0, C: 1}


def test_where_who_was_chosen_can_receive_nothing_it_is_asked_anew(
    words, reporter, house, status_of, registry, hand_over, goes_to, root_key
):
    hand_over(words)
    status_of(Status.SUSPENDED)
    reporter.get("/conversation/routing")
    reporter.post("/conversation/routing", {"force": "test-force", "involved": "no"})
    reporter.post("/conversation/routing", {"do": "begin"})
    first, *rest = registry.units
    draft = replace(registry, version=3, units=(replace(first, status=Status.SUSPENDED), *rest))
    house.config.registry.write_bytes(sign_registry(draft, root_key.file))  # B is there again
    assert "Who you chose can receive nothing here any more" in reporter.get("/conversation").page.words
    assert goes_to() == 409
    assert not house.store.waiting(B)
    assert reporter.get("/conversation/routing").status == 200


def test_a_choice_on_the_day_of_the_handover_stands(
    words, reporter, status_of, hand_over, choose, goes_to, say, shown
):
    hand_over(words)
    hand_over(words, A, C, slot=51, identity="9" * 32)
    status_of(Status.SUSPENDED)
    assert goes_to() == 409
    choose()
    assert goes_to(first=True) == A
    reporter.come_back(words)
    assert "Nobody, at present" not in reporter.last.page.words
    assert goes_to() == A
    status_of(Status.ENROLLED, version=3)
    assert goes_to() == A
    hand_over(words, A, C, slot=52, identity="8" * 32)  # and what is handed over after it counts
    assert goes_to() == C


def test_a_first_overseer_that_is_gone_does_not_take_the_conversation_from_a_later_holder(
    words, header_to, hand_over, goes_to
):
    header_to(words, reply.Header(A, today(), "old-overseer"))
    assert goes_to() == 409
    hand_over(words)
    assert goes_to() == B


@pytest.mark.parametrize("why", ["suspended", "kept from it"])
def test_where_the_next_holder_has_no_second_seal_now_the_page_says_so(
    why, words, reporter, house, root_key, registry, overseer_keys, header_to, hand_over, goes_to
):
    first, second, *rest = registry.units
    serves = (replace(first.serves[0]),) if why == "kept from it" else ()
    status = Status.SUSPENDED if why == "suspended" else Status.ENROLLED
    body = replace(overseer_keys.unit, status=status, serves=serves)
    units = (replace(first, serves=()), replace(second, second_seal=body.id), *rest, body)
    draft = replace(registry, version=2, units=units)
    house.config.registry.write_bytes(sign_registry(draft, root_key.file))
    if why == "kept from it":
        header_to(words, reply.Header(A, today(), kept_from="test-force"))
    hand_over(words)
    page = reporter.come_back(words).page.words
    assert "A second copy often goes to an oversight body as well. This time it does not." in page
    assert body.name not in page
    assert goes_to() == B
    assert not house.store.waiting(body.id)


def test_who_gave_it_away_gets_no_copy_of_what_is_written_afterwards(
    words, reporter, house, root_key, registry, overseer_keys, keys_of, header_to, hand_over, goes_to
):
    body = overseer_keys.unit
    keys_of[body.id] = overseer_keys
    first, second, *rest = registry.units
    units = (first, replace(second, second_seal=body.id), *rest, body)
    house.config.registry.write_bytes(sign_registry(replace(registry, version=2, units=units), root_key.file))
    header_to(words, reply.Header(body.id, today(), before=(A,)))
    hand_over(words, body.id, B)
    page = reporter.come_back(words).page.words
    assert f"A second copy is locked for {body.name}" not in page
    assert "This time it does not." in page
    assert goes_to() == B
    assert not house.store.waiting(body.id)


def test_a_next_holder_that_must_not_see_it_is_named_as_such(words, reporter, header_to, hand_over):
    said = "You asked that a force must not see this, and Other Anti-Corruption Unit serves it"
    hand_over(words)
    assert said not in reporter.get("/conversation").page.words
    header_to(words, reply.Header(A, today(), kept_from="other-force"))
    assert said in reporter.get("/conversation").page.words


def test_a_unit_that_is_given_what_units_may_be_involved_in_is_named_as_such(
    words, reporter, header_to, hand_over
):
    said = "about somebody of the unit, or above it, and Other Anti-Corruption Unit is a unit of a force."
    hand_over(words)
    assert said not in reporter.get("/conversation").page.words
    header_to(words, reply.Header(A, today(), involved=True))
    assert said in reporter.get("/conversation").page.words


def test_whether_units_are_involved_is_asked_again_and_goes_on_as_it_is_answered(
    words, reporter, house, status_of, header_to, header_of, hand_over, opened, keys_of
):
    header_to(words, reply.Header(A, today()))
    hand_over(words)
    status_of(Status.SUSPENDED)
    reporter.get("/conversation/routing")
    reporter.post("/conversation/routing", {"force": "not-known", "involved": "not-sure"})
    reporter.post("/conversation/routing", {"do": "begin"})
    reporter.get("/conversation")
    assert reporter.write("More.").status == 303
    [one] = house.store.waiting(C)
    assert opened(house.store.sealed_file(C, one.id), keys_of[C])[0].involved
    assert header_of(words).involved


def test_what_was_to_be_kept_from_it_is_asked_again_and_goes_on_with_what_is_chosen(
    words, reporter, house, status_of, header_to, header_of, hand_over, opened, keys_of
):
    header_to(words, reply.Header(A, today(), kept_from="other-force"))
    hand_over(words)
    status_of(Status.SUSPENDED)
    page = reporter.get("/conversation/routing")
    assert 'value="other-force" selected' in page.text
    reporter.post("/conversation/routing", {"force": "not-known", "involved": "no", "keep_from": "more"})
    reporter.post("/conversation/routing", {"do": "begin"})
    reporter.get("/conversation")
    assert reporter.write("More.").status == 303
    [one] = house.store.waiting(C)
    assert opened(house.store.sealed_file(C, one.id), keys_of[C])[0].kept_from == SEVERAL
    assert header_of(words).kept_from == SEVERAL


def test_a_handover_replayed_from_another_conversation_does_not_count(
    app, words, reporter_at, say, hand_over, shown
):
    others = reporter_at(app).report()
    hand_over(words, of=others)
    say(words, NEXT, by=B, slot=8)
    assert shown() == set()


def test_an_old_holder_cannot_contradict_its_handover_on_a_later_day(
    words, yesterday, say, hand_over, shown, goes_to
):
    yesterday(words)
    hand_over(words, A, B, slot=50, identity="f" * 32, days=1)
    late = say(words, AFTER, slot=7)
    hand_over(words, A, C, slot=1, identity="0" * 32, standing=[late])
    say(words, NEXT, by=B, slot=8)
    say(words, "Third.", by=C, slot=9)
    assert shown() == {NEXT}
    assert goes_to() == B


def test_of_two_handovers_of_one_day_the_same_counts_at_each_visit(words, say, hand_over, shown, goes_to):
    hand_over(words, A, B, slot=2, identity="2" * 32)
    hand_over(words, A, C, slot=1, identity="1" * 32)
    say(words, NEXT, by=B, slot=8)
    say(words, "Third.", by=C, slot=9)
    assert [shown() for _ in range(3)] == [{"Third."}] * 3
    assert goes_to() == C


def test_a_header_that_is_renewed_names_the_new_holder_and_then_the_old_one_is_of_no_account(
    words, header_to, header_of, hand_over, say, shown, goes_to
):
    header_to(words, reply.Header(A, today() - timedelta(days=200)))
    hand_over(words)
    say(words, NEXT, by=B, slot=8)
    assert goes_to() == B
    renewed = header_of(words)
    assert (renewed.unit, renewed.day, renewed.before) == (B, today(), (A,))
    hand_over(words, A, C, slot=20, identity="0" * 32, days=9)
    say(words, AFTER, slot=9)
    assert shown() == {NEXT}


def test_junk_beside_a_handover_changes_nothing(words, house, secrets_of, hand_over, say, shown):
    hand_over(words)
    say(words, NEXT, by=B, slot=8)
    found = secrets_of(words)
    public = mailbox.ReplyKey(found.reply_seed).public()
    for slot, plain in enumerate(
        (b"{}", b'{"body":{"next":7,"unit":"test-unit"}}', b'{"body":{"next":"x"}}'), 1
    ):
        sealed = mailbox.seal(plain.ljust(8192), public)
        house.store.post_reply([mailbox.tags(found.mailbox_key)[slot]], sealed, today())
    house.store.post_reply([mailbox.tags(found.mailbox_key)[4]], os.urandom(9328), today())
    assert shown() == {NEXT}
