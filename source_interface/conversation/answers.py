"""The answers that a reporter is shown, and those that are missing among them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from common import phrases
from common.conversation import reply
from common.conversation.header import Deleted
from common.registry.registry import Registry
from source_interface.conversation.holding import Holding


@dataclass(frozen=True)
class Answer:
    """An answer as it is shown. `id` is its slot; `slots` are all that it lies in, should it have come twice."""

    id: str
    slots: tuple[int, ...]
    day: str
    holder: str
    text: str = field(repr=False)
    deleted: Deleted = field(repr=False)  # what is left in its place once it is deleted


@dataclass(frozen=True)
class Gap:
    """Answers of one unit that are missing among those that are here: how many."""

    holder: str
    missing: int


def list_answers(registry: Registry, held: Holding) -> tuple[Answer, ...]:
    """The answers that may be shown, newest first; what is there twice is shown once."""
    genuine: dict[str, tuple[reply.Reply, list[int]]] = {}
    for item in held.shown:
        if isinstance(item.said, reply.Reply):
            genuine.setdefault(item.digest, (item.said, []))[1].append(item.slot)
    newest_first = sorted(
        genuine.items(), key=lambda found: (found[1][0].day, found[1][0].number, found[0]), reverse=True
    )
    return tuple(
        Answer(
            *(str(at[0]), tuple(at), phrases.day(read.day), registry.unit(read.unit).name, read.text),
            Deleted(read.unit, read.number, digest),
        )
        for digest, (read, at) in newest_first
    )


def count_gaps(registry: Registry, held: Holding, deleted: Iterable[Deleted]) -> tuple[Gap, ...]:
    """Of each unit whose answers are shown, how many before its last one are not here, nor deleted by the reporter."""
    numbers = [
        (item.said.unit, item.said.number) for item in held.shown if isinstance(item.said, reply.Reply)
    ]
    units = {unit for unit, _ in numbers}
    numbers += [(one.unit, one.number) for one in deleted if one.unit in units]
    gaps = []
    for unit, of_unit in groupby(sorted(set(numbers)), key=lambda one: one[0]):
        there = {number for _, number in of_unit}
        if missing := max(there) - len(there):
            gaps.append(Gap(registry.unit(unit).name, missing))
    return tuple(gaps)
