"""`page`: what a whole first visit costs: requests, bytes on the wire, and the time of each page."""

import re
from collections.abc import Iterator
from time import perf_counter

from deploy.workshop.bench.browser import Browser
from deploy.workshop.bench.figures import Figure, plain
from deploy.workshop.bench.stage import Stage

_LOADED = re.compile(rb'<(?:link|img|script|iframe)[^>]+(?:href|src)="(/[^"]+)"')
_PAGES = (
    "/",
    "/start",
    "/routing",
    "/safety",
    "/help",
    "/certificate",
    "/return",
    "/report",
    "/conversation",
)
_TIMES = 200


def run(stage: Stage) -> Iterator[Figure]:
    """Requests and bytes of the first page with all it loads; milliseconds a page."""
    browser = Browser(stage.source)
    first = browser.get("/")
    loaded = [browser.get(path.decode()) for path in _LOADED.findall(first.body)]
    yield plain("page", "requests of a first visit", [1 + len(loaded)], "", 3)
    wire = first.wire + sum(answer.wire for answer in loaded)
    yield plain("page", "bytes of a first visit", [wire / 1024], "KB", 40)
    browser.begin()
    browser.send("/report", 0, "The first.")
    slowest = max(_milliseconds(browser, path) for path in _PAGES)
    yield plain("page", "time of the slowest page", [slowest], "ms", 3)


def _milliseconds(browser: Browser, path: str) -> float:
    took = []
    for _ in range(_TIMES):
        started = perf_counter()
        browser.get(path)
        took.append((perf_counter() - started) * 1000)
    return sorted(took)[len(took) // 2]
