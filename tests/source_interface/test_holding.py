"""The rules of who holds a conversation, one line each: who was given it, who is missing, who holds it then."""

from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest

from common.registry import Registry
from common.reply import Handover, Reply
from common.units import Status, Unit, UnitKind
from source_interface.holding import Item, follow

DAY = date(2027, 5, 4)
NEXT_DAY, EVE = DAY + timedelta(days=1), DAY - timedelta(days=1)

# Handovers, each by whom to whom on which day -> who is suspended or not known -> who holds it, and had it before
RULES: dict[str, Any] = {
    "nothing was handed over": ([], {}, ("a", "")),
    "a handover": (["a>b"], {}, ("b", "a")),
    "a chain": (["a>b", "b>c"], {}, ("c", "ab")),
    "to one that is suspended": (["a>b"], {"b": Status.SUSPENDED}, (None, "a")),
    "to one that is not enrolled yet": (["a>b"], {"b": Status.NOT_YET}, (None, "a")),
    "to one that is not known": (["a>b"], {"b": None}, (None, "a")),
    "by one that is suspended": (["a>b", "b>c"], {"b": Status.SUSPENDED}, (None, "a")),
    "by one that is not known": (["a>b", "b>c"], {"b": None}, (None, "a")),
    "at the end of a chain": (["a>b", "b>c"], {"c": Status.SUSPENDED}, (None, "ab")),
    "by a first holder that is suspended": (["a>b"], {"a": Status.SUSPENDED}, (None, "")),
    "a second word does not stand in for the first": (["a>b", "a>c+1"], {"b": Status.SUSPENDED}, (None, "a")),
    "nor an earlier identity's after it": (["a>c", "a>b"], {"c": Status.SUSPENDED}, (None, "a")),
    "a loop": (["a>b", "b>a"], {}, ("b", "a")),
    "a loop through one that is suspended": (["a>b", "b>a"], {"b": Status.SUSPENDED}, (None, "a")),
    "one of before the header is done with": (["a>b-1"], {}, ("a", "")),
    "even if it leads to nobody": (["a>b-1"], {"b": Status.SUSPENDED}, ("a", "")),
    "and one since counts": (["a>b-1", "a>c"], {"b": Status.SUSPENDED}, ("c", "a")),
    "of what another holds": (["b>c"], {}, ("a", "")),
}


def unit(unit_id, status=Status.ENROLLED):
    return Unit(unit_id, unit_id.upper(), UnitKind.UNIT, status, (), "c", "f", b"", {})


def items(handovers):
    numbers = count(1)
    for written in handovers:
        by, to, later = written[0], written[2], int(written[3:] or 0)
        said = Handover(f"{next(numbers):032x}", by, to, DAY, frozenset({f"{by} before"}))
        yield Item(next(numbers), DAY + timedelta(days=later), said)


@pytest.mark.parametrize("rule", RULES)
def test_a_conversation_is_held_by_whom_the_rule_says(rule):
    handovers, missing, (holder, before) = RULES[rule]
    units = tuple(unit(one, missing.get(one) or Status.ENROLLED) for one in "abc" if missing.get(one, unit))
    registry = Registry(1, DAY, DAY, (), units)
    answers = [
        Item(90 + number, DAY, Reply(f"{number:032x}", by, DAY, "Words."), digest)
        for number, (by, digest) in enumerate(
            (by, f"{by} {when}") for by in "abc" for when in ("before", "after")
        )
    ]
    held = follow(
        registry, unit("a", missing.get("a") or Status.ENROLLED), DAY, [*items(handovers), *answers]
    )
    assert (held.by.id if held.by else None) == holder
    assert "".join(one.id for one in held.before) == before
    of_before = {f"{one} before" for one in before}
    of_now = {f"{holder} before", f"{holder} after"} if holder else set()
    assert {item.digest for item in held.answers} == of_before | of_now
