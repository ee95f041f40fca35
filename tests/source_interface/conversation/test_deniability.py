"""A valid codename that was never used looks exactly like one with no news, to the eye and to the clock."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import event

from common.conversation import codename, header, mailbox
from common.days import today
from source_interface.conversation import contents, keys
from source_interface.pages import conversation as conversing

pytestmark = pytest.mark.slow


@pytest.fixture(params=["one unit", "two units"])
def app(request, new_app, unit_keys, other_unit_keys):
    units = [unit_keys.unit, other_unit_keys.unit]
    return new_app(units=units[: 1 if request.param == "one unit" else 2])


@pytest.fixture
def no_news(reporter, house, hold):
    """The words of a conversation whose report is held and was deleted here, and that has no answer."""
    words = reporter.report()
    hold("test-unit")
    house.store.sweep(today() + timedelta(days=30), alone=False)
    return words


def without_chance(page):
    return re.sub(
        r'name="(csrf|slot|addressees)" value="[^"]*"', r'name="\1"', page
    ).rstrip()  # and without the filling


def test_the_pages_are_the_same_bytes(app, reporter_at, no_news):
    used = reporter_at(app).come_back(no_news)
    unused = reporter_at(app).come_back(codename.generate().words)
    assert without_chance(unused.text) == without_chance(used.text)
    assert {name for name in used.headers if used.headers[name] != unused.headers[name]} <= {"set-cookie"}
    assert len(used.headers["set-cookie"]) == len(unused.headers["set-cookie"])
    assert len(used.body) == len(unused.body)


@pytest.fixture
def work(house, monkeypatch):
    """Counts SQL statements, derivations and what is opened, while they happen."""
    done: list[str] = []

    @event.listens_for(house.store.engine, "before_cursor_execute")
    def _statement(_connection, _cursor, statement, *_):
        done.append(statement)

    def counted(module, name):
        real = getattr(module, name)

        def call(*arguments):
            done.append(name)
            return real(*arguments)

        monkeypatch.setattr(module, name, call)

    counted(conversing, "derive_root")
    counted(keys, "conversation_secrets")
    counted(mailbox.ReplyKey, "open")
    counted(header, "read_header")
    return done


def test_the_work_is_the_same(app, reporter_at, no_news, work):
    def work_of(words):
        work.clear()
        reporter_at(app).come_back(words)
        return list(work)

    unused, used = work_of(codename.generate().words), work_of(no_news)
    assert Counter(unused) == Counter(used)
    least = contents.OPENED_AT_LEAST
    named = [name for name in used if " FROM " not in name]
    assert Counter(named) == {
        "derive_root": 1,
        "conversation_secrets": 1,
        "open": least,
        "read_header": least,
    }
    assert len([name for name in used if " FROM " in name]) == 2


def test_a_visit_writes_nothing(app, reporter_at, no_news, house, work):
    files = {file: file.stat() for file in house.config.blobs.parent.rglob("*") if file.is_file()}
    later = reporter_at(app)
    later.come_back(no_news)
    later.get("/conversation")
    assert not [statement for statement in work if re.match("INSERT|UPDATE|DELETE", statement)]
    for file, before in files.items():
        assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns), file


def test_a_slip_costs_no_derivation_and_no_look_up(app, reporter_at, work):
    later = reporter_at(app)
    later.get("/return")
    work.clear()
    later.post("/return", {"codename": "abacus " * 7})
    assert work == []


def test_what_is_written_is_taken_alike(app, reporter_at, no_news):
    """Someone who holds a slip of paper, and writes a word to see whether it is a codename in use, learns nothing."""

    def written(words):
        reporter = reporter_at(app)
        asked = without_chance(reporter.come_back(words).text)
        shown = without_chance(reporter.choose().text)
        answer = reporter.write("Is anyone there?")
        return asked, shown, answer.status, answer.goes_to, without_chance(reporter.get("/conversation").text)

    assert written(codename.generate().words) == written(no_news)
