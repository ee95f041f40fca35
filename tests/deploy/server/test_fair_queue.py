"""Turns for the threads: no circuit holds them all, none is asked to wait for another's second, nothing is refused."""

import pytest

from deploy.server.fair_queue import REQUESTS, Turns


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_browser_is_served_at_once(clock):
    turns: Turns[object] = Turns(256, clock)
    for number in range(6):
        turns.come("one", number)
    assert turns.ready() == list(range(6))


def test_one_circuit_holds_a_sixteenth_of_the_threads_and_the_rest_waits_for_them(clock):
    turns: Turns[object] = Turns(256, clock)
    for number in range(32):
        turns.come("busy", number)
    assert turns.ready() == list(range(15))  # then 241 are free, and a sixteenth of them is 15
    assert turns.ready() == []
    turns.end("busy")
    assert turns.ready() == [15]
    turns.come("quiet", "page")
    assert turns.ready() == ["page"]


def test_sixty_circuits_that_take_all_they_can_leave_threads_for_the_next(clock):
    turns: Turns[object] = Turns(256, clock)
    held = 0
    for circuit in range(60):
        for number in range(32):
            turns.come(str(circuit), number)
        held += len(turns.ready())
    assert held < 256
    turns.come("quiet", "page")
    assert turns.ready() == ["page"]


def test_circuits_take_turns(clock):
    turns: Turns[object] = Turns(16, clock)
    for what in ("a1", "a2", "a3"):
        turns.come("a", what)
    assert turns.ready() == ["a1"]
    for what in ("b1", "b2"):
        turns.come("b", what)
    assert turns.ready() == ["b1"]
    turns.end("a")
    turns.end("b")
    assert turns.ready() == ["a2", "b2"]


def test_what_comes_faster_than_it_may_waits_its_time_and_is_served(clock):
    turns: Turns[object] = Turns(10_000, clock)
    most = REQUESTS.burst
    for number in range(most + 32):
        turns.come("fast", number)
    assert turns.ready() == list(range(most))
    assert turns.ready() == []
    turns.come("quiet", "page")
    assert turns.ready() == ["page"]
    clock.now += REQUESTS.every * 1.001
    assert turns.ready() == [most]
    clock.now += 60
    assert turns.ready() == list(range(most + 1, most + 32))


def test_of_a_flood_of_circuits_so_many_are_remembered_and_no_more(clock):
    turns: Turns[object] = Turns(256, clock, most=100)
    for number in range(10_000):
        turns.come(str(number), number)
        assert turns.ready() == [number]
        turns.end(str(number))
        assert len(turns) <= 100


def test_at_the_end_all_that_waits_is_given_up(clock):
    turns: Turns[object] = Turns(16, clock)
    for number in range(5):
        turns.come("one", number)
    assert turns.ready() == [0]
    assert turns.give_up() == [1, 2, 3, 4]
    turns.end("one")
    assert turns.ready() == []


def test_what_leaves_is_not_served_and_keeps_no_other_waiting(clock):
    turns: Turns[object] = Turns(16, clock)
    for what in ("a1", "a2", "a3"):
        turns.come("a", what)
    turns.come("b", "b1")
    assert turns.ready() == ["a1", "b1"]
    assert turns.waiting() == ["a2", "a3"]
    turns.leave("a", "a2")
    turns.end("a")
    assert turns.ready() == ["a3"]
    turns.come("a", "a4")
    turns.leave("a", "a4")
    turns.end("a")
    assert turns.waiting() == turns.ready() == []
