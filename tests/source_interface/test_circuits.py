"""Limits by circuit: a person is never delayed, a flood is delayed and then refused, and nobody else notices."""

import threading
from contextlib import ExitStack

import pytest

from common.allowance import CIRCUIT, STOPPING
from common.conversation import codename
from source_interface import circuits
from source_interface.circuits import DERIVATIONS, MOST_DELAYED, UPLOADS, UPLOADS_AT_ONCE, Circuits
from source_interface.refusals import Refused

pytestmark = pytest.mark.slow

MANY = 10_000


class Hours:
    """A clock, and an event in which time passes as it is waited for."""

    def __init__(self) -> None:
        self.now = 5000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return False


@pytest.fixture
def hours():
    return Hours()


@pytest.fixture
def limits(hours):
    return Circuits(clock=hours)


def test_a_person_is_never_delayed(limits, hours):
    for _ in range(DERIVATIONS.burst):
        limits.derivation("one", hours)
    for _ in range(UPLOADS.burst):
        with limits.upload("one", hours):
            pass
    assert hours.waits == []
    hours.now += 60
    limits.derivation("one", hours)
    assert hours.waits == []


def test_what_comes_too_often_is_delayed_and_then_goes_on(limits, hours):
    for _ in range(DERIVATIONS.burst + 10):
        limits.derivation("one", hours)
    assert hours.waits == pytest.approx([DERIVATIONS.every] * 10)


def test_one_more_than_may_be_delayed_is_refused_and_takes_nothing(limits, hours):
    entered, go = threading.Semaphore(0), threading.Event()
    seconds = []

    class Held:
        def wait(self, delay: float) -> bool:
            seconds.append(delay)
            entered.release()
            assert go.wait(60)
            return False

    for _ in range(DERIVATIONS.burst):
        limits.derivation("one", hours)
    delayed = [threading.Thread(target=limits.derivation, args=("one", Held())) for _ in range(MOST_DELAYED)]
    for thread in delayed:
        thread.start()
        assert entered.acquire(timeout=60)
    for _ in range(100):
        with pytest.raises(Refused, match="too often"):
            limits.derivation("one", hours)
    limits.derivation("another", hours)
    go.set()
    for thread in delayed:
        thread.join(60)
    assert seconds == pytest.approx([DERIVATIONS.every * place for place in range(1, MOST_DELAYED + 1)])
    hours.now += sum(seconds) / len(seconds) + DERIVATIONS.every * 2
    limits.derivation("one", hours)
    assert hours.waits == [], "the refused hundred took nothing"


def test_more_uploads_at_once_than_may_be_are_delayed_then_refused_and_a_place_comes_back(limits, hours):
    with ExitStack() as held:
        for _ in range(UPLOADS_AT_ONCE):
            held.enter_context(limits.upload("one", hours))
        with pytest.raises(Refused, match="too often"), limits.upload("one", hours):
            pytest.fail("one too many")
        assert hours.waits == [UPLOADS.every]
        with limits.upload("another", hours):
            pass
    with limits.upload("one", hours):
        pass
    assert hours.waits == [UPLOADS.every]


def test_an_upload_that_fails_gives_its_place_back(limits, hours):
    for _ in range(UPLOADS_AT_ONCE + 1):
        with pytest.raises(ZeroDivisionError), limits.upload("one", hours):
            raise ZeroDivisionError
    assert hours.waits == []


def test_when_the_server_ends_a_delay_ends_and_is_said(limits, hours):
    for _ in range(DERIVATIONS.burst):
        limits.derivation("one", hours)
    stopping = threading.Event()
    stopping.set()
    for _ in range(MOST_DELAYED + 1):
        with pytest.raises(Refused, match="busy"):
            limits.derivation("one", stopping)


def test_a_flood_of_circuits_is_remembered_in_bounded_memory(hours):
    limits = Circuits(clock=hours, most=50)
    with limits.upload("long", hours):
        for number in range(MANY):
            limits.derivation(str(number), hours)
            assert len(limits) <= 50
        for _ in range(UPLOADS.burst - 1):
            with limits.upload("long", hours):
                pass
        assert hours.waits == []
        with limits.upload("long", hours):
            pass
        assert hours.waits != [], "what is under way is not forgotten"


@pytest.fixture
def on_circuit(app, reporter_at, hours):
    """A reporter whose requests come over a circuit, as the server's worker tells it. No delay takes any time."""
    app.extensions[circuits.EXTENSION] = Circuits(clock=hours)
    told = app.wsgi_app

    def open_on(circuit):
        def with_circuit(environ, start_response):
            return told(environ | {CIRCUIT: circuit, STOPPING: hours}, start_response)

        app.wsgi_app = with_circuit
        return reporter_at(app)

    return open_on


@pytest.fixture
def no_delays(monkeypatch):
    """What would be delayed is refused, as if others of the circuit were delayed already."""
    monkeypatch.setattr(circuits, "MOST_DELAYED", 0)


def test_a_codename_that_is_refused_is_given_back(on_circuit, no_delays):
    reporter = on_circuit("busy")
    for _ in range(DERIVATIONS.burst):
        reporter.come_back(codename.generate().text)
    reporter.get("/return")
    text = codename.generate().text
    answer = reporter.post("/return", {"codename": text})
    assert answer.status == 429
    assert "Wait a minute" in answer.text
    assert answer.page.textareas["codename"] == text
    quiet = on_circuit("quiet")
    assert quiet.come_back(text).status == 200


def test_starting_is_refused_too_and_a_mistyped_codename_costs_nothing(on_circuit, no_delays):
    reporter = on_circuit("busy")
    for _ in range(3 * DERIVATIONS.burst):
        reporter.get("/return")
        assert reporter.post("/return", {"codename": "no such words at all here"}).status == 422
    for _ in range(DERIVATIONS.burst):
        reporter.start()
    reporter.get("/routing")
    answer = reporter.begin()
    assert answer.status == 429
    assert "Wait a minute" in answer.text


def test_a_message_that_is_refused_has_its_words_given_back(on_circuit, no_delays, app, arrived, house):
    reporter = on_circuit("busy")
    reporter.report("The first.")
    reporter.get("/sent")
    reporter.post("/noted")
    for number in range(UPLOADS.burst - 1):
        reporter.get("/conversation")
        assert reporter.write(f"Number {number}.").goes_to == "/conversation"
    before = arrived(house.config)
    reporter.get("/conversation")
    answer = reporter.write("What I saw last.", [("film.mp4", bytes(3_000_000))])
    assert answer.status == 429
    assert answer.typed == "What I saw last."
    assert "Wait a minute" in answer.text
    assert arrived(house.config) == before


def test_no_page_tells_of_a_circuit(on_circuit):
    reporter = on_circuit("a-name-that-is-nowhere")
    reporter.report()
    for path in ("/", "/start", "/return", "/sent", "/conversation", "/help", "/no-such-page"):
        answer = reporter.get(path)
        assert "a-name-that-is-nowhere" not in answer.text + repr(answer.headers)


def test_without_a_circuit_nothing_is_limited(reporter, no_delays):
    for _ in range(DERIVATIONS.burst + 1):
        reporter.start()
