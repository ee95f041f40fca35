"""What a measurement says, and when it may not be said.

A ratio whose baseline varied too much between its own repetitions is noise: it is not printed.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

STEADY = 0.5  # a baseline may spread over at most this part of its median, from quartile to quartile


@dataclass(frozen=True)
class Series:
    """Repetitions of one measurement, in seconds or whatever their owner says."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """From the first to the third quartile, as a part of the median."""
        if len(self.values) < 4:
            return (max(self.values) - min(self.values)) / self.median
        first, _, third = statistics.quantiles(self.values, n=4)
        return (third - first) / self.median

    @property
    def is_steady(self) -> bool:
        """Steady enough to stand below a fraction's line."""
        return self.spread <= STEADY


@dataclass(frozen=True)
class Figure:
    """One row of the table. `value` is None where the baseline did not hold still."""

    name: str
    what: str
    value: float | None
    unit: str  # "×", "%", "MB", "ms"
    target: float
    at_most: bool  # the target is an upper bound; otherwise a lower one
    spread: float  # of the measurement beside it, as a part of its median

    @property
    def reached(self) -> bool | None:
        """Whether the target holds; None where nothing can be said."""
        if self.value is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target


def in_turn(
    times: int, ours: Callable[[], float], beside: Callable[[], float], warm_up: int = 1
) -> tuple[Series, Series]:
    """Measure two things in turn: A B, A B, …, so that a drifting machine drifts under both."""
    for _ in range(warm_up):
        ours()
        beside()
    pairs = [(ours(), beside()) for _ in range(times)]
    return Series(tuple(a for a, _ in pairs)), Series(tuple(b for _, b in pairs))


def ratio(name: str, what: str, ours: Series, baseline: Series, target: float, *, at_most: bool) -> Figure:
    """Our time as a multiple of the baseline's; with a lower bound, our pace as a part of the baseline's.

    No value, unless the baseline held still.
    """
    value = ours.median / baseline.median if at_most else baseline.median / ours.median
    return Figure(name, what, value if baseline.is_steady else None, "×", target, at_most, baseline.spread)


def plain(name: str, what: str, values: Sequence[float], unit: str, target: float) -> Figure:
    """A figure that stands for itself and is to stay under its target."""
    series = Series(tuple(values))
    return Figure(name, what, series.median, unit, target, True, 0.0)
