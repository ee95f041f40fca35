"""`message`: small follow-ups a second in open sessions, each durable, beside bare gpg processes, two at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from common.conversation.mailbox import MESSAGE_SLOTS
from deploy.workshop.bench.browser import Browser
from deploy.workshop.bench.figures import Figure, in_turn, ratio
from deploy.workshop.bench.gpg import Gpg
from deploy.workshop.bench.stage import Stage

_CLIENTS = 8
_EACH = 20  # messages a client sends in one repetition
_TIMES = 7
_TEXT = "So it was, and more of it. " * 76  # 2 KB


def run(stage: Stage) -> Iterator[Figure]:
    """Messages a second, of bare gpg's."""
    yield rate(stage, "message", "2 KB messages a second, of bare gpg's", 0.60)


def rate(stage: Stage, name: str, what: str, target: float) -> Figure:
    """The same under another name."""
    source = stage.scratch / "message"
    source.write_text(_TEXT[:2000])
    gpg = Gpg(stage.scratch, stage.certificate)
    clients = [Client(stage.source) for _ in range(_CLIENTS)]
    ours, bare = in_turn(
        _TIMES,
        lambda: together(clients, _EACH),
        lambda: gpg.seal_many(source, _CLIENTS * _EACH, at_once=2),
    )
    for client in clients:
        client.browser.close()
    return ratio(name, what, ours, bare, target, at_most=False)


class Client:
    """A reporter with an open conversation, who goes on writing."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.begin()

    def begin(self) -> None:
        """A conversation of its own."""
        self.browser = Browser(self._address)
        self.browser.begin()
        self.browser.send("/report", 0, "The first.")
        self.browser.read_token("/conversation")
        self._slot = 1

    def write(self, times: int) -> None:
        """Send messages, each after the one before is acknowledged."""
        for _ in range(times):
            self.browser.send("/conversation/write", self._slot, _TEXT[:2000])
            self._slot += 1

    def has_room(self, times: int) -> bool:
        """Whether the conversation has slots for so many more."""
        return self._slot + times < MESSAGE_SLOTS


def together(clients: list[Client], each: int) -> float:
    """Seconds that all clients take for `each` messages each, at the same time."""
    for client in clients:
        if not client.has_room(each):
            client.begin()
        client.browser.close()  # the server has hung up meanwhile
    with ThreadPoolExecutor(len(clients)) as pool:
        started = perf_counter()
        list(pool.map(lambda client: client.write(each), clients))
        return perf_counter() - started
