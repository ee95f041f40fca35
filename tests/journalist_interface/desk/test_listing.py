"""The lists cost the same with a hundred thousand rows as with a thousand: counted in SQLite's own steps."""

import html
import re
import secrets
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, event

from common.days import today
from journalist_interface.desk.pages import cursors
from journalist_interface.desk.rows.conversations import PAGE

pytestmark = pytest.mark.slow


def fill(engine, rows, unreadable=0):
    """`rows` conversations of one message each, and some envelopes that did not open."""
    ids = [secrets.token_hex(16) for _ in range(rows)]
    days = [today() - timedelta(days=number % 700) for number in range(rows)]
    numbered = list(enumerate(zip(ids, days, strict=True)))
    filling = create_engine(engine.url)  # on a connection of its own, whose steps nobody counts
    with filling.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO conversation (identity, first_day, last_day, messages, files, last_message, last_answer,"
            " unanswered) VALUES (?, ?, ?, 1, 0, 1, ?, ?)",
            [
                (identity, day.isoformat(), day.isoformat(), number % 2, number % 2 == 0)
                for number, (identity, day) in numbered
            ],
        )
        connection.exec_driver_sql(
            "INSERT INTO envelope (id, sha256, size, day, imported, turn, state, reason, conversation, later, files)"
            " VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, 0, 0)",
            [
                (
                    *(identity, "0" * 64, day.isoformat(), day.isoformat(), number),
                    "unreadable" if number < unreadable else "opened",
                    "damaged" if number < unreadable else None,
                    identity,
                )
                for number, (identity, day) in numbered
            ],
        )
    filling.dispose()
    return ids


class Steps:
    """Counts the steps of SQLite's virtual machine, and keeps the statements."""

    def __init__(self, engine):
        self.taken, self.statements = 0, []
        engine.dispose()
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "before_cursor_execute", self._executed)

    def _connected(self, connection, _):
        connection.set_progress_handler(self._step, 1)

    def _step(self):
        self.taken += 1
        return 0

    def _executed(self, connection, cursor, statement, parameters, *_):
        self.statements.append((statement, parameters))


@pytest.mark.parametrize("rows", [100_000])
def test_lists_walk_an_index_and_stop(world, browser, rows):
    engine = browser.app.extensions["candour"].cabinet.engine
    steps = Steps(engine)
    ids = fill(engine, 1000, unreadable=20)
    day = today() - timedelta(days=1)
    paths = [
        "/",
        "/?only=unanswered",
        f"/?before={cursors.of_day(day, 'f' * 32)}",
        f"/?only=unanswered&before={cursors.of_day(day, 'f' * 32)}",
        "/unreadable",
        f"/unreadable?before={cursors.of_day(today(), 'f' * 32)}",
        f"/conversations/{ids[30]}",
    ]

    def cost():
        found = []
        for path in paths:
            before = steps.taken
            assert browser.get(path).status_code == 200
            found.append(steps.taken - before)
        return found

    cost()
    few = cost()
    fill(engine, rows)
    steps.statements.clear()
    many = cost()
    for path, with_few, with_many in zip(paths, few, many, strict=True):
        assert with_many <= with_few * 1.2 + 50, path
        assert with_many < 3000, path
    with engine.connect() as connection:
        for statement, parameters in list(steps.statements):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            said = " / ".join(row[-1] for row in plan)
            if "FROM handling" not in statement:  # those of one page's messages are put in order
                assert "TEMP B-TREE" not in said, said
            assert "SCAN envelope" not in said, said


def test_the_list_shows_each_conversation_once_however_it_is_paged(world, browser):
    ids = fill(browser.app.extensions["candour"].cabinet.engine, 4 * PAGE + 3)
    for start, expected in (("/", set(ids)), ("/?only=unanswered", set(ids[::2]))):
        seen: list[str] = []
        older, pages = [start], 0
        while older:
            page = browser.get(html.unescape(older[0])).text
            here = re.findall(r'href="/conversations/([0-9a-f]{32})"', page)
            assert len(here) <= PAGE
            seen += here
            pages += 1
            older = re.findall(r'href="([^"]+)" rel="next"', page)
        assert len(seen) == len(set(seen))
        assert set(seen) == expected
        assert pages == -(-len(expected) // PAGE)
