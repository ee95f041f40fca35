"""The rules of who holds a conversation, one line each: who was given it, who is missing, who holds it then."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest

from common.registry import Registry
from common.reply import MOST_HANDOVERS, Handover, Header, Reply
from common.trail import MOST_STEPS
from common.units import Status, Unit, UnitKind
from source_interface.holding import Item, follow

DAY = date(2027, 5, 4)

# Handovers, each by whom to whom, on which day; `?`: not signed by the key of today; `!`: the header names it
# -> who is suspended or not known -> who holds it, and had it before
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
    "one that the header knows is done with": (["a>b!"], {}, ("a", "")),
    "even if it leads to nobody": (["a>b!"], {"b": Status.SUSPENDED}, ("a", "")),
    "and another counts, of the same day too": (["a>b!", "a>c"], {"b": Status.SUSPENDED}, ("c", "a")),
    "a claim that nobody can check": (["a>b?"], {}, (None, "")),
    "a claim against a genuine one of its day": (["a>b", "a>c?"], {}, (None, "")),
    "a claim of a later day": (["a>b", "a>c?+1"], {}, ("b", "a")),
    "a genuine one of a later day than a claim": (["a>b?", "a>c+1"], {}, (None, "")),
    "a claim further on": (["a>b", "b>c?"], {}, (None, "a")),
    "a claim by one that does not hold it": (["b>c?", "c>b?"], {}, ("a", "")),
    "a claim to give it back": (["a>b", "b>a?"], {}, ("b", "a")),
    "a claim that the header knows": (["a>b?!"], {}, ("a", "")),
    "of what another holds": (["b>c"], {}, ("a", "")),
}


def unit(unit_id, status=Status.ENROLLED):
    return Unit(unit_id, unit_id.upper(), UnitKind.UNIT, status, (), "c", "f", b"", {})


def items(handovers):
    numbers = count(1)
    for written in handovers:
        by, to, later = written[0], written[2], int(written[3:].strip("?!") or 0)
        said = Handover(f"{next(numbers):032x}", by, to, DAY, frozenset({f"{by} before"}))
        posted = DAY + timedelta(days=later)
        yield Item(next(numbers), posted, said, mark=written, genuine="?" not in written)


@pytest.mark.parametrize("rule", RULES)
def test_a_conversation_is_held_by_whom_the_rule_says(rule):
    handovers, missing, (holder, before) = RULES[rule]
    held = follow(registry(missing), header("a", handovers), [*items(handovers), *ANSWERS])
    assert by(held) == holder
    assert "".join(held.before) == before
    of_before = {f"{one} before" for one in before}
    of_now = {f"{holder} before", f"{holder} after"} if holder else set()
    assert {item.digest for item in held.answers} == of_before | of_now


def by(held):
    return held.by.id if held.by else None


def registry(missing=None):
    missing = missing or {}
    units = tuple(unit(one, missing.get(one) or Status.ENROLLED) for one in "abc" if missing.get(one, unit))
    return Registry(1, DAY, DAY, (), units)


def header(holder, handovers=(), **more):
    return Header(holder, DAY, settled=frozenset(one for one in handovers if "!" in one), **more)


ANSWERS = [
    Item(90 + number, DAY, Reply(f"{number:032x}", by, DAY, "Words."), digest=f"{by} {when}")
    for number, (by, when) in enumerate((by, when) for by in "abc" for when in ("before", "after"))
]


def how(written, **said):
    [item] = items([written])
    return replace(item, mark=f"{written} {said}", said=replace(item.said, **said))


def test_who_got_a_copy_and_whether_it_was_rewritten_is_told_of_the_chain_s_genuine_handovers_alone():
    told = [
        how("a>b", copy_to="body"),
        how("a>b+1", copy_to="later", rewritten=True),  # of a later message: the same way
        how("b>c", copy_to="watch"),
    ]
    others = [
        how("a>b?+2", copy_to="forged"),
        how("a>c+2", copy_to="elsewhere"),
        how("c>a", copy_to="back"),
        how("c>c", copy_to="itself"),
    ]
    held = follow(registry(), header("a"), [*told, *others])
    assert (by(held), held.copies, held.rewritten) == ("c", ("body", "later", "watch"), True)
    lost = follow(registry({"c": Status.SUSPENDED}), header("a"), [told[0], told[2]])
    assert (by(lost), lost.copies, lost.rewritten) == (None, ("body", "watch"), False)
    doubt = follow(registry(), header("a"), [told[0], how("b>c?", copy_to="forged", rewritten=True)])
    assert (by(doubt), doubt.copies, doubt.rewritten) == (None, ("body",), False)
    renewed = header("b", before=("a",), followed=frozenset({told[0].mark}))
    assert follow(registry(), renewed, told[:1]).copies == ("body",)


def test_a_header_that_was_renewed_needs_no_old_handover_and_what_stood_still_stands():
    renewed = header("b", before=("a",), followed=frozenset({"a>b"}))
    for lying, shown in (
        (["a>b"], {"a before", "b before", "b after"}),
        (["a>b?"], {"b before", "b after"}),
        ([], {"b before", "b after"}),
    ):
        lies = [replace(item, mark="a>b") for item in items(lying)]
        held = follow(registry(), renewed, [*lies, *ANSWERS])
        assert (by(held), held.before) == ("b", ("a",))
        assert {item.digest for item in held.answers} == shown
    for late in (["a>c"], ["b>a"], ["a>c?"]):
        assert by(follow(registry(), renewed, list(items(late)))) == "b"
    suspended = follow(registry({"a": Status.SUSPENDED}), renewed, [*items(["a>b"]), *ANSWERS])
    assert by(suspended) == "b"
    assert {item.digest for item in suspended.answers} == {"b before", "b after"}


def test_a_chain_has_no_more_handovers_than_a_trail_has_steps():
    assert MOST_HANDOVERS == MOST_STEPS
    long = header("a", before=tuple(f"x{number}" for number in range(MOST_HANDOVERS)))
    assert follow(registry(), long, list(items(["a>b"]))).by is None
