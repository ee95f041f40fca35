"""The session: an encrypted cookie that tells nothing, ends when it should, and is reached by decorator alone."""

import base64
import secrets
import time

import pytest
from flask import g, make_response

from common.conversation import codename
from common.conversation.derivation import derive_root
from common.conversation.destination import Destination
from common.secret import Secret
from source_interface import session as sessions
from source_interface.app import create_app
from source_interface.session import NoSession, Session, SessionBox, new_session

pytestmark = pytest.mark.slow

CHOSEN = Destination("unit", "second", "force", involved=True)
ENDED = "Your visit has ended"


def encodings(secret: bytes) -> list[bytes]:
    """A secret as it could hide in a text; base64 at each of its three alignments, without the edges."""
    shifted = [base64.b64encode(bytes(n) + secret)[4 if n else 0 : -4] for n in range(3)]
    return [
        secret,
        secret.hex().encode(),
        secret[::-1],
        *shifted,
        *(one.translate(URLSAFE) for one in shifted),
    ]


URLSAFE = bytes.maketrans(b"+/", b"-_")


def test_no_cookie_before_it_is_needed(reporter, app):
    for path in (
        "/",
        "/safety",
        "/help",
        "/certificate",
        "/certificate/test-unit",
        "/certificate/test-unit.asc",
        app.jinja_env.globals["style"],
        "/nope",
    ):
        assert reporter.get(path).cookies == (), path
    assert len(reporter.get("/start").cookies) == 1


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(reporter):
    reporter.report()
    for path in ("/start", "/return", "/conversation", "/sent"):
        [cookie] = reporter.get(path).cookies
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} == set(cookie.split("; ")[1:]), path


def test_the_cookie_holds_neither_words_nor_root_in_any_form(reporter, house):
    words = reporter.report()
    reporter.get("/sent")
    root = derive_root(codename.read(" ".join(words)), house.config.pepper)
    raw = base64.urlsafe_b64decode(reporter.cookie)
    for secret in (root.reveal(), root.reveal().hex().encode(), *(word.encode() for word in words)):
        for form in encodings(secret):
            if len(form) >= 4:
                assert form not in raw
                assert form not in reporter.cookie.encode()
    for plain in (b"csrf", b"root", b"words", b"test-unit", b"uptime"):
        assert plain not in raw


def test_two_cookies_of_one_session_have_nothing_in_common(reporter):
    reporter.start()
    first = base64.urlsafe_b64decode(reporter.cookie)
    reporter.get("/report")
    second = base64.urlsafe_b64decode(reporter.cookie)
    assert len(first) == len(second)
    assert sum(a == b for a, b in zip(first, second, strict=True)) < len(first) // 8


def test_a_new_server_knows_no_session_of_the_old_one(reporter, house, reporter_at):
    reporter.start()
    form = reporter.message("Typed before the restart.")
    restarted = create_app(house.config)
    later = reporter_at(restarted)
    later.cookie = reporter.cookie
    answer = later.deliver(*form)
    assert answer.status == 403
    assert ENDED in answer.text
    assert answer.typed == "Typed before the restart."
    assert later.get("/conversation").status == 403
    restarted.extensions["candour"].store.engine.dispose()


def test_an_altered_cookie_ends_the_visit(reporter):
    reporter.start()
    whole = reporter.cookie
    raw = base64.urlsafe_b64decode(whole)
    altered = [raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :] for place in range(0, len(raw), 7)]
    forged = [
        base64.urlsafe_b64encode(one).decode() for one in [*altered, raw[:11], raw[:28], raw + b"x", b""]
    ]
    for cookie in [*forged, whole[:-4], "x", "=", "A" * 5000, "\u00e9", '{"root": "00"}', "null"]:
        reporter.cookie = cookie
        answer = reporter.get("/report")
        assert answer.status == 403, cookie
        assert ENDED in answer.text
    reporter.cookie = whole
    assert reporter.get("/report").status == 200


def test_a_cookie_sealed_under_another_context_or_key_is_nothing(app):
    box: SessionBox = app.extensions[sessions.EXTENSION]
    whole = new_session()
    assert box.open(box.close(whole)) == whole
    with pytest.raises(NoSession):
        SessionBox(3600, 7200).open(box.close(whole))


def test_a_session_says_what_it_was_given(app):
    box: SessionBox = app.extensions[sessions.EXTENSION]
    given = Session("token", Secret(secrets.token_bytes(32)), tuple("abcdefg"), (1, 7), "sent", CHOSEN)
    assert box.open(box.close(given)) == given
    assert "token" not in repr(given)
    assert "abc" not in repr(given).replace("'", "")


def test_the_longest_session_fits_into_its_cookie(app):
    box: SessionBox = app.extensions[sessions.EXTENSION]
    longest = Session(
        "x" * 24,
        Secret(bytes(32)),
        ("wwwwwwwww",) * 7,
        tuple(range(1, 8)),
        "sent before",
        Destination("u" * 64),
    )
    assert box.open(box.close(longest)) == longest


def test_an_idle_visit_ends_and_each_page_renews_it(new_app, reporter_at, monkeypatch):
    reporter = reporter_at(new_app(session_idle_seconds=600))
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    reporter.start()
    for _ in range(5):
        now[0] += 599
        assert reporter.get("/report").status == 200
    form = reporter.message("Typed for eleven minutes.")
    now[0] += 602
    answer = reporter.deliver(*form)
    assert answer.status == 403
    assert ENDED in answer.text
    assert answer.typed == "Typed for eleven minutes."
    assert reporter.get("/report").status == 403


def test_a_visit_has_a_longest_time_however_busy_it_is(new_app, reporter_at, monkeypatch):
    """What was typed comes back, and the page says why; coming back with the codename begins another."""
    reporter = reporter_at(new_app(session_idle_seconds=3600, session_longest_seconds=7200))
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    words = reporter.report()
    now[0] += 1800
    reporter.come_back(words)  # this visit begins here
    reporter.choose()
    for _ in range(3):
        now[0] += 2399
        form = reporter.message("Typed for two hours.")
        assert reporter.get("/conversation").status == 200
    now[0] += 4
    answer = reporter.deliver(*form)
    assert answer.status == 403
    assert ENDED in answer.text
    assert "after 1 hour of quiet, 2 hours after it began" in answer.page.words
    assert answer.typed == "Typed for two hours."
    assert reporter.get("/conversation").status == 403
    assert reporter.come_back(words).status == 200


def test_a_codename_is_still_shown_when_its_message_arrived_after_the_end(new_app, reporter_at, monkeypatch):
    """Only a message that began in time, and only for a while."""
    app = new_app(session_idle_seconds=600, session_longest_seconds=3600)
    reporter = reporter_at(app)
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    reporter.start()
    now[0] += 590
    store = app.extensions["candour"].store
    receive = store.receive

    def slowly(*arguments, **named):
        now[0] += 7200
        return receive(*arguments, **named)

    monkeypatch.setattr(type(store), "receive", lambda _, *arguments, **named: slowly(*arguments, **named))
    assert reporter.write("A long upload.").status == 303
    assert len(reporter.codename()) == 7
    now[0] += 590
    assert len(reporter.codename()) == 7
    now[0] += 11
    assert reporter.get("/sent").status == 403


def test_a_visit_ended_page_cannot_be_gone_on_from(reporter):
    reporter.report()
    reporter.cookie = ""
    for method, path in [("GET", p) for p in ("/report", "/sent", "/conversation")] + [
        ("POST", p)
        for p in ("/report", "/noted", "/another", "/withdraw", "/answer/delete", "/conversation/write")
    ]:
        assert reporter.ask(method, path).status == 403, path
        assert "/leave" not in reporter.last.page.forms


def test_a_view_without_the_decorator_cannot_reach_a_session(app, reporter, reporter_at):
    @app.get("/bare")
    def bare():
        return make_response(str(getattr(g, "session", None)))

    reporter.report()
    assert reporter.get("/bare").text.rstrip() == "None"
    assert reporter.last.cookies == ()


PUBLIC = ("index", "safety", "help", "certificates", "certificate", "certificate_file")


def test_every_view_with_a_session_asks_for_it(app):
    open_to_all = {"static", *(f"public.{name}" for name in PUBLIC)}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        assert hasattr(view, "__wrapped__") == (rule.endpoint not in open_to_all), rule.endpoint
