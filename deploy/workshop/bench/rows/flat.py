"""`flat`: the same work with 100, 10,000 and 1,000,000 envelopes stored. Nothing may grow with what is kept.

Three sets of servers run at once, so that what is compared is measured in turn.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import perf_counter

from deploy.workshop.bench.browser import Browser
from deploy.workshop.bench.figures import Figure, Series, ratio
from deploy.workshop.bench.filling import add_envelopes, blob, write_random
from deploy.workshop.bench.rows.message import Client, together
from deploy.workshop.bench.signed import Courier
from deploy.workshop.bench.stage import Stage, fresh_stage

_SIZES = (100, 10_000, 1_000_000)
_TIMES = 9
_MESSAGES = 10
_FEW = 20
_DOWNLOAD = 16_384  # bytes


def run(servers: Stage) -> Iterator[Figure]:
    """Growth of messages, visits, listing and download, from 100 envelopes to many."""
    with ExitStack() as stack:
        stages = {size: stack.enter_context(fresh_stage(servers, f"flat-{size}")) for size in _SIZES}
        for size, filled in stages.items():
            _fill(filled, size)
        works = {size: _works(filled) for size, filled in stages.items()}
        for name in works[_SIZES[0]]:
            taken: dict[int, list[float]] = {size: [] for size in _SIZES}
            for turn in range(_TIMES + 1):
                for size in _SIZES:
                    took = works[size][name]()
                    if turn:  # the first warms up
                        taken[size].append(took)
            least = Series(tuple(taken[_SIZES[0]]))
            for size in _SIZES[1:]:
                what = f"{name} with {size:,} stored, of the same with {_SIZES[0]}"
                yield ratio("flat", what, Series(tuple(taken[size])), least, 1.10, at_most=True)


def _works(servers: Stage) -> dict[str, Callable[[], float]]:
    clients = [Client(servers.source) for _ in range(4)]
    visitor = Browser(servers.source)
    visitor.begin()
    visitor.send("/report", 0, "The first.")
    courier = Courier(servers)
    [identity] = courier.list_page(1)
    return {
        "messages": lambda: together(clients, _MESSAGES),
        "a visit's page": lambda: _timed(visitor.close, lambda: visitor.get("/conversation")),
        "a listing page": lambda: _timed(courier.close, lambda: courier.list_page(100)),
        "a download": lambda: _timed(courier.close, lambda: courier.download(identity)),
    }


def _timed(before: Callable[[], object], work: Callable[[], object]) -> float:
    """Seconds of a few repetitions on one fresh connection."""
    before()
    work()
    started = perf_counter()
    for _ in range(_FEW):
        work()
    return perf_counter() - started


def _fill(servers: Stage, size: int) -> None:
    """Envelopes without content, and one that can be downloaded."""
    first, *_ = add_envelopes(servers, [0] * size, said_size=_DOWNLOAD)
    write_random(blob(servers, first), _DOWNLOAD)
