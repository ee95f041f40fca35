"""What is logged when something breaks: its kind and its place, and never what anyone typed."""

import logging

import pytest
from sqlalchemy import text as sql

from common.conversation.derivation import Busy, Gate

pytestmark = pytest.mark.slow

PLANTED = "Zanzibar-the-planted-word"


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.DEBUG)

    def look():
        return "\n".join(
            f"{record.getMessage()} {record.exc_text or ''} {record.exc_info}" for record in caplog.records
        )

    return look


def test_a_broken_store_is_logged_by_class_and_place_alone(reporter, house, logged):
    reporter.start()
    with house.store.engine.begin() as connection:
        connection.execute(sql("DROP TABLE envelope"))
    assert reporter.write(PLANTED).status == 503
    assert "OperationalError at engine/default.py:" in logged()
    assert PLANTED not in logged()
    assert "no such table" not in logged()
    assert reporter.cookie not in logged()


def test_an_exception_that_quotes_what_was_typed_is_not_repeated(app, reporter, logged):
    def clumsy():
        raise ValueError(f"could not understand {PLANTED}")

    app.view_functions["public.index"] = clumsy
    answer = reporter.get("/")
    assert answer.status == 503
    assert PLANTED not in answer.text
    assert "ValueError at source_interface/test_logs.py:" in logged()
    assert PLANTED not in logged()


def test_a_whole_visit_logs_nothing(reporter, reporter_at, app, answer, logged):
    words = reporter.report(PLANTED, [("Zanzibar.jpg", b"\xff\xd8\xff")])
    answer(words)
    reporter.post("/noted")
    later = reporter_at(app)
    later.come_back(words)
    later.write("More of " + PLANTED)
    later.get("/conversation")
    later.post("/leave")
    assert [line for line in logged().splitlines() if "candour" in line or PLANTED in line] == []


def test_a_refused_message_is_logged_without_its_words(reporter, logged, monkeypatch):
    reporter.start()
    monkeypatch.setenv("PATH", "/nonexistent")  # so that there is no gpg
    assert reporter.write(PLANTED, [(PLANTED, b"x")]).status == 503
    assert "a message could not be kept: FileNotFoundError" in logged()
    assert PLANTED not in logged()


def test_when_too_many_come_at_once_the_codename_is_given_back(reporter, app, monkeypatch):
    words = reporter.report()
    reporter.get("/sent")
    reporter.post("/noted")
    house = app.extensions["candour"]
    gate = Gate(1, patience=0.01)
    object.__setattr__(house, "gate", gate)
    with gate.turn():
        reporter.get("/return")
        answer = reporter.post("/return", {"codename": " ".join(words)})
        assert answer.status == 503
        assert "Wait a minute" in answer.text
        assert answer.page.textareas["codename"] == " ".join(words)
        reporter.get("/routing")
        assert reporter.begin().status == 503
    assert issubclass(Busy, Exception)
