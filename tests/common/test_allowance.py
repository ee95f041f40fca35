"""How often: a burst, then one by one, in a memory that does not grow."""

import random

import pytest

from common.allowance import Allowance, Rate, Remembered

RATE = Rate(burst=4, every=5.0)


def test_a_burst_goes_at_once_and_then_one_every_few_seconds():
    allowance = Allowance(RATE)
    assert [allowance.take(100.0) for _ in range(7)] == [0, 0, 0, 0, 5, 10, 15]


def test_to_ask_for_the_delay_takes_nothing():
    allowance = Allowance(RATE)
    assert [allowance.delay(100.0) for _ in range(9)] == [0.0] * 9


def test_what_was_taken_comes_back_with_time_and_never_more_than_the_burst():
    allowance = Allowance(RATE)
    for _ in range(4):
        allowance.take(100.0)
    assert allowance.delay(104.0) == pytest.approx(1.0)
    assert allowance.take(105.0) == 0
    assert allowance.delay(105.0) == pytest.approx(5.0)
    assert [allowance.take(1e6) for _ in range(5)] == [0, 0, 0, 0, 5]


def test_no_pattern_gets_more_than_the_burst_and_the_rate():
    chance = random.Random(1)  # noqa: S311  the same each time
    allowance, now, began = Allowance(RATE), 0.0, []
    for _ in range(500):
        now += chance.expovariate(1.0)
        began.append(now + allowance.take(now))
    for first in range(0, 500, 7):
        for last in range(first, 500, 11):
            most = RATE.burst + (began[last] - began[first]) / RATE.every
            assert last - first + 1 <= most + 1e-6


def test_ten_thousand_circuits_take_the_memory_of_so_many_and_the_oldest_are_forgotten():
    remembered = Remembered(lambda: Allowance(RATE), lambda _: False, most=100)
    first = remembered.of("0")
    for number in range(10_000):
        remembered.of(str(number))
        assert len(remembered) <= 100
    assert remembered.of("9999") is remembered.of("9999")
    assert remembered.of("0") is not first


def test_what_is_used_or_in_use_is_not_forgotten():
    in_use = {"held"}
    remembered: Remembered[list[str]] = Remembered(list, bool, most=10)
    remembered.of("held").extend(in_use)
    used = remembered.of("used")
    for number in range(1000):
        remembered.of(str(number))
        assert remembered.of("used") is used
    assert remembered.of("held") == ["held"]
