"""What a request costs before it is known to be its reporter's, and that nothing is worked out twice in one."""

from collections import Counter

import pytest
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from sqlalchemy import event

from common.contexts import Context
from common.conversation import mailbox
from tests.source_interface.conversation.test_forgery import FORMS

pytestmark = pytest.mark.slow


@pytest.fixture
def statements(house):
    """What was asked of the database."""
    asked: list[str] = []

    @event.listens_for(house.store.engine, "before_cursor_execute")
    def _statement(_connection, _cursor, statement, *_):
        asked.append(statement)

    return asked


@pytest.fixture
def expanded(monkeypatch):
    """How often each key was expanded to its tags."""
    keys: Counter[bytes] = Counter()

    class Counted:
        def __init__(self, algorithm, length, info):
            self.info, self.real = info, HKDFExpand(algorithm, length, info)

        def derive(self, key):
            keys.update([key] if self.info == Context.TAGS.octets else [])
            return self.real.derive(key)

    monkeypatch.setattr(mailbox, "HKDFExpand", Counted)
    return keys


@pytest.fixture
def inside(reporter):
    """A reporter on the conversation's page, with a message that could be withdrawn."""
    reporter.report()
    reporter.get("/conversation")
    return reporter


def test_a_small_form_without_the_sessions_token_costs_no_look_up(inside, statements):
    page, cookie = inside.last, inside.cookie
    for path in FORMS:
        for token in ("", "wrong"):
            inside.last, inside.cookie = page, cookie
            statements.clear()
            assert (
                inside.post(path, {"slot": "1", "answer": "1", "confirm": "1", "csrf": token}).status == 403
            )
            assert statements == [], (path, token)


def test_a_message_without_the_sessions_token_costs_no_look_up(
    inside, reporter_at, app, statements, multipart
):
    other = reporter_at(app)
    other.start()
    page, file = inside.last, ("files", "f", b"content")
    for path in ("/report", "/conversation/write"):
        for token in ("", "wrong", other.forms["/report"]["csrf"]):
            inside.last = page
            body = inside.message("Forged.", path="/conversation/write", csrf=token)[1]
            statements.clear()
            assert inside.deliver(path, body).status == 403
            assert statements == [], (path, token)
        for body in (multipart([("text", "Forged.")]), multipart([file, ("csrf", "wrong")]), b"", b"csrf"):
            for kind in ("multipart/form-data; boundary=----geckoformboundary5d1f", "text/plain", ""):
                statements.clear()
                assert inside.deliver(path, body, Content_Type=kind).status in (400, 403)
                assert statements == [], (path, body, kind)


def test_a_good_form_looks_once(inside, statements):
    statements.clear()
    assert inside.write("Not forged.").goes_to == "/sent"
    assert len([one for one in statements if "each JOIN" in one]) == 2


def test_no_key_is_expanded_to_its_tags_twice_in_a_request(inside, answer, expanded):
    def once(response):
        assert expanded, "it was looked up"
        assert set(expanded.values()) == {1}, (response.status, response.goes_to)
        expanded.clear()
        return response

    expanded.clear()
    once(inside.get("/conversation"))
    form = inside.message("More.", files=[("a", b"a")])
    assert once(inside.deliver(*form)).status == 303
    assert "had arrived already" in once(inside.deliver(*form)).page.words
    assert once(inside.write("")).status == 422
    inside.get("/conversation")
    inside.post("/withdraw")
    expanded.clear()
    assert once(inside.post("/withdraw", {"confirm": "1"})).goes_to == "/conversation"
    answer(inside.codename())
    inside.get("/conversation")
    expanded.clear()
    assert once(inside.post("/answer/delete")).goes_to == "/conversation"
    inside.codename()
    inside.post("/noted")
    inside.post("/another")
    inside.start()
    form = inside.message("First.", files=[("a", b"a")])
    expanded.clear()
    assert once(inside.deliver(*form)).goes_to == "/sent"
    assert "had arrived already" in once(inside.deliver(*form)).page.words
