"""The rules of who holds a conversation, one line each: who was given it, who is missing, who holds it then."""

from itertools import count
from typing import Any

import pytest

from common.conversation.destination import Destination
from common.conversation.header import Header
from common.conversation.links import MOST_HANDOVERS, links, new_link
from common.conversation.reply import Handover, Reply
from common.days import today
from common.registry.registry import Registry
from common.registry.units import Status, Unit, UnitKind
from source_interface.conversation.holding import TABLE, Holder, Item, State, Word, follow

DAY = today()
FIRST = new_link()

# What was signed, each by whom at which point, to whom; `?`: with a key that the unit has no more
# -> who is suspended or not known -> the state, the holders, and who else may have it
RULES: dict[str, Any] = {
    "nothing was handed over": ([], {}, ("held", "a", "")),
    "a handover": (["a>b"], {}, ("held", "ab", "")),
    "a chain": (["a>b", "ab>c"], {}, ("held", "abc", "")),
    "said twice it is one": (["a>b", "a>b"], {}, ("held", "ab", "")),
    "to one that is suspended": (["a>b"], {"b": Status.SUSPENDED}, ("vacant", "ab", "")),
    "to one that is not enrolled yet": (["a>b"], {"b": Status.NOT_YET}, ("vacant", "ab", "")),
    "to one that is not known": (["a>b"], {"b": None}, ("vacant", "ab", "")),
    "by one that is suspended": (["a>b", "ab>c"], {"b": Status.SUSPENDED}, ("vacant", "ab", "")),
    "by a first holder that is suspended": (["a>b"], {"a": Status.SUSPENDED}, ("vacant", "a", "")),
    "to two": (["a>b", "a>c"], {}, ("contested", "a", "bc")),
    "to two, further on": (["a>b", "ab>c", "ab>d"], {}, ("contested", "ab", "cd")),
    "to two, of whom one is suspended": (["a>b", "a>c"], {"b": Status.SUSPENDED}, ("contested", "a", "bc")),
    "to two by one that is suspended": (["a>b", "a>c"], {"a": Status.SUSPENDED}, ("vacant", "a", "")),
    "back to who gave it away": (["a>b", "ab>a"], {}, ("held", "ab", "")),
    "to itself": (["a>a"], {}, ("held", "a", "")),
    "by one that does not hold it": (["b>c"], {}, ("held", "a", "")),
    "by the next, at another point": (["a>b", "b>c"], {}, ("held", "ab", "")),
    "with a former key": (["a>b?"], {}, ("doubtful", "a", "b")),
    "with a former key, to two": (["a>b?", "a>c?"], {}, ("doubtful", "a", "bc")),
    "with a former key, beside the key of today": (["a>b?", "a>c"], {}, ("held", "ac", "")),
    "with a former key, further on": (["a>b", "ab>c?"], {}, ("doubtful", "ab", "c")),
    "with a former key, by one that does not hold it": (["b>c?"], {}, ("held", "a", "")),
}


def unit(unit_id, status=Status.ENROLLED):
    return Unit(unit_id, unit_id.upper(), UnitKind.UNIT, status, (), "c", "f", b"", {})


def registry(missing=None):
    missing = missing or {}
    units = tuple(unit(one, missing.get(one) or Status.ENROLLED) for one in "abcd" if missing.get(one, unit))
    return Registry(1, DAY, DAY, (), units)


def handover(written, number=1, **more):
    """`ab>c`: signed by b, at the link that it has by a chain from a."""
    chain, to = written.rstrip("?").split(">")
    link = links(FIRST, chain)[-1]
    said = Handover(f"{number:032x}", chain[-1], to, DAY, (link,), frozenset({f"{chain[-1]} before"}), **more)
    return Item(number, said, f"{written} {number}", by_former_key="?" in written)


ANSWERS = [
    Item(90 + number, Reply(f"{number:032x}", by, DAY, 1, "Words."), digest=f"{by} {when}")
    for number, (by, when) in enumerate((by, when) for by in "abcd" for when in ("before", "after"))
]


def shown(held):
    return {item.digest for item in held.shown}


def all_of(*units):
    return {f"{one} {when}" for one in units for when in ("before", "after")}


@pytest.mark.parametrize("rule", RULES)
def test_a_conversation_is_held_by_whom_the_rule_says(rule):
    written, missing, (state, holders, named) = RULES[rule]
    numbers = count(1)
    items = [handover(one, next(numbers)) for one in written]
    for lying in (items, items[::-1]):
        held = follow(registry(missing), Header(FIRST, Destination("a")), [*lying, *ANSWERS])
        assert (held.state, "".join(held.holders), "".join(held.named)) == (state, holders, named)
        assert held.holder == (holders[-1] if state == "held" else None)
        there = {one for one in "abcd" if one not in missing}
        showing = {*holders[-1], *named} & there if state != "vacant" else set()
        standing = {f"{one} before" for one in holders[:-1] if one in there}
        assert shown(held) == all_of(*showing) | standing


def test_the_table_has_a_line_for_whatever_can_be_and_uses_every_state():
    assert set(TABLE) == {(holder, word) for holder in Holder for word in Word}
    assert {*TABLE.values(), State.UNKNOWN} == {*State, None}


def test_without_a_header_nobody_holds_it_and_whatever_an_enrolled_unit_signed_is_shown():
    held = follow(registry({"b": Status.SUSPENDED}), None, [handover("a>c"), *ANSWERS])
    assert (held.state, held.holder, held.holders) == (State.UNKNOWN, None, ())
    assert shown(held) == all_of("a", "c", "d")


def test_a_header_that_goes_on_needs_no_old_handover_and_what_stood_still_stands():
    now = Header(FIRST, Destination("b"), before=("a",), marks=("a>b 1",))
    for lying, stands in ((["a>b"], {"a before"}), ([], set())):
        held = follow(registry(), now, [*map(handover, lying), *ANSWERS])
        assert (held.holder, held.before) == ("b", ("a",))
        assert shown(held) == all_of("b") | stands
    for late in (["a>c"], ["a>c?"], ["ab>a"], ["a>c", "ac>d"]):
        held = follow(registry(), now, [*map(handover, ["a>b", *late]), *ANSWERS])
        assert (held.holder, shown(held)) == ("b", all_of("b") | {"a before"}), late
    suspended = follow(registry({"a": Status.SUSPENDED}), now, [handover("a>b"), *ANSWERS])
    assert (suspended.holder, shown(suspended)) == ("b", all_of("b"))


def test_a_conversation_that_begins_anew_is_out_of_reach_of_all_that_was_signed_before():
    anew = Header(new_link(), Destination("a"))
    lying = [handover(one) for one in ("a>b", "a>c", "a>d?", "ab>c")]
    held = follow(registry(), anew, [*lying, *ANSWERS])
    assert (held.state, held.holder, shown(held)) == (State.HELD, "a", all_of("a"))


def test_who_got_a_copy_and_whether_it_was_rewritten_is_told_of_the_chain_s_handovers_alone():
    told = [
        handover("a>b", 1, copy_to="body"),
        handover("a>b", 2, copy_to="later", rewritten=True),  # of a later message: the same way
        handover("ab>c", 3, copy_to="watch"),
    ]
    others = [
        handover("a>c?", 4, copy_to="elsewhere", rewritten=True),
        handover("c>a", 5, copy_to="back"),
        handover("b>c", 6, copy_to="itself"),
    ]
    held = follow(registry(), Header(FIRST, Destination("a")), [*told, *others])
    assert (held.holder, held.copies, held.rewritten) == ("c", ("body", "later", "watch"), True)
    lost = follow(registry({"c": Status.SUSPENDED}), Header(FIRST, Destination("a")), [told[0], told[2]])
    assert (lost.holder, lost.copies, lost.rewritten) == (None, ("body", "watch"), False)
    contested = follow(
        registry(), Header(FIRST, Destination("a")), [told[0], handover("a>c", 7, copy_to="other")]
    )
    assert (contested.holder, contested.copies) == (None, ())
    pinned = Header(FIRST, Destination("b"), before=("a",), marks=("a>b 1",))
    late = handover("a>b", 8, copy_to="late", rewritten=True)  # signed when its unit had given it away
    held = follow(registry(), pinned, [told[0], late])
    assert (held.copies, held.rewritten, held.marks) == (("body",), False, ("a>b 1",))


def test_a_conversation_is_handed_over_no_more_often_than_a_trail_has_steps():
    many = (*(f"x{number}" for number in range(MOST_HANDOVERS)), "a")
    said = Handover("0" * 32, "a", "b", DAY, links(FIRST, many)[-1:], frozenset())

    def header_of(holders):
        return Header(FIRST, Destination(holders[-1]), before=holders[:-1])

    assert follow(registry(), header_of(many), [Item(1, said)]).holder == "a"
    assert follow(registry(), header_of(many[1:]), [Item(1, said)]).holder == "a", "another link"
    fits = Handover("0" * 32, "a", "b", DAY, links(FIRST, many[1:])[-1:], frozenset())
    assert follow(registry(), header_of(many[1:]), [Item(1, fits)]).holder == "b"


def test_a_handover_at_several_links_counts_by_the_one_that_is_its_own():
    """Its unit was told more than one, by whoever has a copy too."""
    both = (new_link(), FIRST)
    said = Handover("0" * 32, "a", "b", DAY, both, frozenset())
    assert follow(registry(), Header(FIRST, Destination("a")), [Item(1, said)]).holder == "b"
    other = Handover("0" * 32, "a", "b", DAY, both[:1], frozenset())
    assert follow(registry(), Header(FIRST, Destination("a")), [Item(1, other)]).holder == "a"
