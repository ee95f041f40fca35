"""A conversation that is handed over, as its reporter meets it."""

from dataclasses import replace
from itertools import count

import pytest

from common.conversation import reply
from common.conversation.links import links
from common.conversation.reply import Handover
from common.days import today
from keys.registry.signature import sign_registry

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
        link = (
            after
            or links(
                header.first_link, (*header.holders, *(chain or ((by,) * (by != header.destination.unit))))
            )[-1]
        )
        digests = frozenset(reply.digest(one, identity) for one in standing)
        said = Handover(f"{slot:032x}", by, to, today(), (link,), digests, **how)
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
        report, _ = opened(house.store.blobs._path(sealed), keys_of[unit])
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


@pytest.fixture
def register(house, root_key, registry):
    """Signs a newer registry, in which some units are others: by place, what changes; None takes one out."""
    versions = count(2)

    def put(changes, *more):
        units = [
            replace(unit, **(changes.get(place) or {}))
            for place, unit in enumerate(registry.units)
            if changes.get(place, {}) is not None
        ]
        draft = replace(registry, version=next(versions), units=(*units, *more))
        house.config.registry.write_bytes(sign_registry(draft, root_key.file))

    return put


@pytest.fixture
def status_of(register):
    """Signs a newer registry in which the second unit has another status, or is not there."""
    return lambda status: register({1: {"status": status} if status else None})


@pytest.fixture
def choose(reporter):
    """Chooses who can open it from now on: a force's unit."""

    def again(force="test-force", **more):
        reporter.get("/conversation/routing")
        said = {"force": force, "involved": "no"} | more
        assert reporter.post("/conversation/routing", said).status == 200
        assert "It is chosen" in reporter.post("/conversation/routing", {"do": "begin"}).page.words

    return again
