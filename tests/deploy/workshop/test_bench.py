"""Figures are said only when they may be."""

import pytest

from deploy.run.servers import PROJECT
from deploy.workshop.bench import command
from deploy.workshop.bench.figures import Series, in_turn, ratio

STEADY = Series((1.0, 1.01, 0.99, 1.0, 1.02))
RESTLESS = Series((0.2, 1.0, 3.0, 0.3, 2.0))


def test_a_ratio_to_a_baseline_that_did_not_hold_still_is_not_said():
    refused = ratio("x", "x", STEADY, RESTLESS, 1.0, at_most=True)
    assert refused.value is None
    assert refused.reached is None
    assert command.value_in_words(refused).startswith("not said")


def test_an_upper_bound_is_on_time_and_a_lower_one_on_pace():
    twice = Series(tuple(2 * value for value in STEADY.values))
    slower = ratio("x", "x", twice, STEADY, 1.5, at_most=True)
    assert slower.value == pytest.approx(2.0)
    assert slower.reached is False
    paced = ratio("x", "x", twice, STEADY, 0.4, at_most=False)
    assert paced.value == pytest.approx(0.5)
    assert paced.reached is True


def test_two_things_are_measured_in_turn():
    order: list[str] = []

    def noted(name: str) -> float:
        order.append(name)
        return 1.0

    in_turn(3, lambda: noted("a"), lambda: noted("b"), warm_up=0)
    assert order == ["a", "b"] * 3


def test_a_bench_that_there_is_not_is_named():
    with pytest.raises(command.NoSuchBench, match="no bench nonsense"):
        command.run_benches(["nonsense"], as_json=False, readme=False, folder=None)


def test_the_table_has_its_place_in_the_readme():
    text = (PROJECT / "README.md").read_text("utf-8")
    assert text.index("<!-- bench: begin -->") < text.index("<!-- bench: end -->")
