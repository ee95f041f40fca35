"""`desk`: listing and opening where 100,000 reports are imported."""

import re
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from time import perf_counter

from common.days import today
from deploy.run.servers import PROJECT
from deploy.workshop.bench.browser import Answer, Browser, Surprise
from deploy.workshop.bench.figures import Figure, plain
from deploy.workshop.bench.stage import Stage, fresh_stage

_REPORTS = 100_000
_DAYS = 700  # over which they came
_TIMES = 30
_CONVERSATION = re.compile(rb'href="(/conversations/[0-9a-f]{32})"')


def run(servers: Stage) -> Iterator[Figure]:
    """Milliseconds of a page of the list, and of opening a report."""
    with fresh_stage(servers, "desk") as full:
        reporter = Browser(full.source)
        reporter.begin()
        reporter.send("/report", 0, "What happened, at some length. " * 60)
        round_ = ["courier", "round", "--data", str(full.data)]
        subprocess.run(
            [sys.executable, "-m", "deploy", *round_], cwd=PROJECT, check=True, capture_output=True
        )
        oldest = _fill(full)
        address, _, path = full.desk_link.partition("/enter/")
        reviewer = Browser(address)
        reviewer.get(f"/enter/{path}")
        listing = _page(reviewer, "/")
        opened = _first(_CONVERSATION, listing)
        for what, page in (
            ("the list", "/"),
            ("the oldest page of the list", oldest),
            ("opening a report", opened),
        ):
            took = [_milliseconds(reviewer, page) for _ in range(_TIMES)]
            yield plain("desk", f"{what}, with {_REPORTS:,} reports imported", took, "ms", 100)


def _page(reviewer: Browser, path: str) -> Answer:
    answer = reviewer.get(path)
    if answer.status != 200:
        raise Surprise(f"the desk answered {answer.status}")
    return answer


def _first(link: re.Pattern[bytes], page: Answer) -> str:
    found = link.search(page.body)
    if found is None:
        raise Surprise("the desk does not show what it has imported")
    return found[1].decode()


def _milliseconds(reviewer: Browser, path: str) -> float:
    started = perf_counter()
    _page(reviewer, path)
    return (perf_counter() - started) * 1000


def _fill(servers: Stage) -> str:
    """Rows of reports that were imported and opened, one a conversation, as the desk writes them.

    Where the page of the list that holds the oldest begins.
    """
    days = [(today() - timedelta(days=1 + number % _DAYS)).isoformat() for number in range(_REPORTS)]
    rows = [(secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(32), day) for day in days]
    with closing(sqlite3.connect(servers.data / "desk" / "desk.sqlite", timeout=60)) as database, database:
        database.executemany(
            "INSERT INTO envelope (id, sha256, size, day, imported, turn, state, conversation, later, files) "
            "VALUES (?, ?, 16384, ?, ?, 1, 'opened', ?, 0, 0)",
            [(envelope, digest, day, day, conversation) for envelope, conversation, digest, day in rows],
        )
        database.executemany(
            "INSERT INTO conversation (identity, first_day, last_day, messages, files, last_message, last_answer, "
            "unanswered) VALUES (?, ?, ?, 1, 0, 1, 0, 1)",
            [(conversation, day, day) for _, conversation, _, day in rows],
        )
        database.executemany(
            "INSERT INTO handling (day, what, envelope, sha256) VALUES (?, ?, ?, ?)",
            [
                (day, what, envelope, digest)
                for envelope, _, digest, day in rows
                for what in ("received", "opened")
            ],
        )
    return f"/?before={min(days)}.{'f' * 32}"
