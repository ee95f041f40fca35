"""Who holds a conversation, checked by machine: everybody does their worst, and the promises hold after each step.

The model knows what nobody in life knows: who truly held the conversation, and what each of them truly signed there. A
hostile unit is one that signs whatever it likes, at any link it ever learned. A courier drops, repeats and reorders.
The registry changes. The reporter visits, writes and chooses.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from common.conversation.destination import Destination
from common.conversation.header import Header
from common.conversation.links import links, next_link
from common.conversation.reply import Handover, Reply
from common.days import today
from common.registry.registry import Registry
from common.registry.units import Status, Unit, UnitKind
from source_interface.conversation import holding
from source_interface.conversation.holding import Holder, Item, State, Word, follow

pytestmark = pytest.mark.slow

DAY = today()
UNITS = "abcde"
UNIT = st.sampled_from(UNITS)
EXAMPLES, STEPS = 60, 40  # each test run; run as a module it makes 100,000 steps


@dataclass
class World:
    """What is true."""

    status: dict[str, Status] = field(default_factory=lambda: dict.fromkeys(UNITS, Status.ENROLLED))
    former: set[int] = field(default_factory=set)  # slots of what a key signed that its unit has no more
    lying: dict[int, Handover | Reply] = field(default_factory=dict)


class Conversation(RuleBasedStateMachine):
    """One conversation of one reporter, and five units, each of which may be the enemy."""

    @initialize(first=UNIT)
    def the_reporter_begins(self, first):
        self.world = World()
        self.first_links = count(1)
        self.header = Header(self.new_link(), Destination(first))
        self.known_links = [self.header.link]  # whoever is told one may use it: units share what they know
        self.slot = 0
        self.shown_to_reporter = self.held()

    def new_link(self):
        return f"{next(self.first_links):064x}"

    # -- what units and couriers do

    def put(self, said, *, former=False):
        self.slot += 1
        self.world.lying[self.slot] = said
        if former:
            self.world.former.add(self.slot)

    def sign_handover(self, by, to, after, former):
        before = self.held()
        said = Handover(f"{self.slot:032x}", by, to, DAY, (after,), frozenset())
        self.put(said, former=former)
        self.known_links.append(next_link(after, by, to))
        self.changed_by(by, before)

    @rule(data=st.data(), by=UNIT, to=UNIT, former=st.booleans())
    def a_unit_hands_it_over_at_any_link_it_knows(self, data, by, to, former):
        self.sign_handover(by, to, data.draw(st.sampled_from(self.known_links)), former)

    @rule(to=UNIT, former=st.booleans())
    def the_holder_hands_it_over(self, to, former):
        before = self.held()
        self.sign_handover(before.holders[-1], to, links(self.header.first_link, before.holders)[-1], former)
        after = self.held()
        if before.state is State.HELD and to not in before.holders:
            if former:
                assert (after.state, after.holders, after.named) == (State.DOUBTFUL, before.holders, (to,))
            else:
                assert after.holders[: len(before.holders) + 1] == (*before.holders, to)

    @rule(back=st.integers(1, 3), to=UNIT)
    def a_former_holder_says_it_again_with_another_name(self, back, to):
        holders = self.held().holders
        at = max(0, len(holders) - 1 - back)
        self.sign_handover(holders[at], to, links(self.header.first_link, holders)[at], former=False)

    @rule(by=UNIT)
    def a_unit_answers(self, by):
        before = self.held()
        self.put(Reply(f"{self.slot:032x}", by, DAY, 1, "Words."))
        assert self.of(before) == self.of(self.held()), "an answer moved the conversation"

    @precondition(lambda self: self.world.lying)
    @rule(data=st.data())
    def a_courier_drops_something(self, data):
        slot = data.draw(st.sampled_from(sorted(self.world.lying)))
        del self.world.lying[slot]
        self.world.former.discard(slot)

    @precondition(lambda self: self.world.lying)
    @rule(data=st.data())
    def a_courier_brings_something_again(self, data):
        slot = data.draw(st.sampled_from(sorted(self.world.lying)))
        before = self.held()
        self.put(self.world.lying[slot], former=slot in self.world.former)
        assert self.of(before) == self.of(self.held())

    @rule(one=UNIT, status=st.sampled_from(Status))
    def the_registry_changes(self, one, status):
        self.world.status[one] = status

    # -- what the reporter does

    @rule()
    def the_reporter_visits(self):
        self.shown_to_reporter = self.held()

    @rule()
    def the_reporter_writes(self):
        """As the pages do it: to whom was shown, if that is who has it now; else nothing is sent."""
        now = self.held()
        if now.holder is None or now.holder != self.shown_to_reporter.holder:
            self.shown_to_reporter = now
            return
        assert now.holder == self.shown_to_reporter.holder
        assert self.world.status[now.holder] is Status.ENROLLED, "sealed to who may have lost its keys"
        self.header = Header(
            self.header.first_link, Destination(now.holder), self.header.sequence + 1, now.before
        )
        self.known_links.append(self.header.link)
        assert self.held().holder == now.holder, "writing moved the conversation"

    @rule(to=UNIT)
    def the_reporter_chooses(self, to):
        if self.world.status[to] is not Status.ENROLLED:
            return
        self.header = Header(self.new_link(), Destination(to), self.header.sequence + 1)
        self.known_links.append(self.header.link)
        assert self.held().holder == to, "a choice does not stand"
        self.shown_to_reporter = self.held()

    # -- what is promised

    def held(self):
        return follow(self.registry(), self.header, self.items())

    def registry(self):
        units = tuple(
            Unit(one, one, UnitKind.UNIT, self.world.status[one], (), "c", "f", b"", {}) for one in UNITS
        )
        return Registry(1, DAY, DAY, (), units)

    def items(self):
        return [
            Item(slot, said, "" if isinstance(said, Handover) else said.identity, slot in self.world.former)
            for slot, said in self.world.lying.items()
        ]

    @staticmethod
    def of(held):
        return held.state, held.holders, held.named

    def changed_by(self, by, before):
        """Only a unit that holds it, or held it since the reporter's header, can have changed who does."""
        after = self.held()
        if self.of(before) != self.of(after):
            assert by in before.holders[len(self.header.holders) - 1 :], f"{by} moved what it did not hold"

    @invariant()
    def what_the_holder_signed_is_shown(self):
        held = self.held()
        if held.holder is None:
            return
        its = {
            slot
            for slot, said in self.world.lying.items()
            if isinstance(said, Reply) and said.unit == held.holder
        }
        assert its <= {item.slot for item in held.shown}

    @invariant()
    def while_it_is_contested_or_doubtful_nobody_is_silenced(self):
        held = self.held()
        if held.state not in (State.CONTESTED, State.DOUBTFUL):
            return
        may_have_it = {
            one for one in (held.holders[-1], *held.named) if self.world.status[one] is Status.ENROLLED
        }
        theirs = {
            slot
            for slot, said in self.world.lying.items()
            if isinstance(said, Reply) and said.unit in may_have_it
        }
        assert theirs == {item.slot for item in held.shown}

    @invariant()
    def it_is_held_by_one_that_is_enrolled_or_by_nobody(self):
        held = self.held()
        assert held.holder is None or self.world.status[held.holder] is Status.ENROLLED
        assert len(set(held.holders)) == len(held.holders), "it went in a circle"
        assert held.holders[: len(self.header.holders)] == self.header.holders, "the header was overruled"

    @invariant()
    def each_step_since_the_header_was_signed_by_who_held_it(self):
        held = self.held()
        chain = links(self.header.first_link, held.holders)
        for place in range(len(self.header.holders) - 1, len(held.holders) - 1):
            signed = [
                said
                for slot, said in self.world.lying.items()
                if isinstance(said, Handover)
                and slot not in self.world.former
                and (said.unit, said.after[0], said.next)
                == (held.holders[place], chain[place], held.holders[place + 1])
            ]
            assert signed, "nobody signed that"
            assert self.world.status[held.holders[place]] is Status.ENROLLED, "its keys may be stolen"

    @invariant()
    def the_reason_why_nobody_holds_it_is_true(self):
        held = self.held()
        missing = self.world.status[held.holders[-1]] is not Status.ENROLLED
        assert (held.state is State.VACANT) == missing
        assert (held.state is State.HELD) == (not missing and not held.named)
        if held.named:
            link = links(self.header.first_link, held.holders)[-1]
            by_key_of_today = {
                said.next
                for slot, said in self.world.lying.items()
                if isinstance(said, Handover)
                and slot not in self.world.former
                and (said.unit, said.after[0]) == (held.holders[-1], link)
            } - {*held.holders}
            assert (held.state is State.CONTESTED) == (len(by_key_of_today) > 1)
            assert (held.state is State.DOUBTFUL) == (not by_key_of_today)

    @invariant()
    def the_order_in_which_things_lie_there_is_of_no_account(self):
        items = self.items()
        assert self.of(follow(self.registry(), self.header, items)) == self.of(
            follow(self.registry(), self.header, items[::-1])
        )


class InThatCell(Conversation):
    """Begins in one situation of the table; from there on it goes as ever. So few steps find what is wrong there."""

    cell: ClassVar[tuple[Holder, Word]]

    @initialize(first=UNIT)
    def the_reporter_begins(self, first):
        super().the_reporter_begins(first)
        holder, word = self.cell
        others = [one for one in UNITS if one != first]
        for to in others[: {Word.NOTHING: 0, Word.SEVERAL: 2}.get(word, 1)]:
            self.sign_handover(first, to, self.header.link, former=word is Word.FORMER)
        if holder is Holder.MISSING:
            self.the_registry_changes(first, Status.SUSPENDED)


def run(examples, steps, *, derandomize=True, machine=Conversation):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=derandomize,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )


def test_whatever_units_couriers_and_registry_do_the_promises_hold():
    run(EXAMPLES, STEPS)


@pytest.mark.parametrize("cell", holding.TABLE, ids=" ".join)
def test_the_promises_hold_from_each_situation_of_the_table_on(cell, monkeypatch):
    monkeypatch.setattr(InThatCell, "cell", cell, raising=False)
    run(2, STEPS, machine=InThatCell)


@pytest.mark.parametrize("cell", holding.TABLE, ids=" ".join)
def test_every_mutation_of_the_table_is_found(cell, monkeypatch):
    right = holding.TABLE[cell]
    monkeypatch.setattr(InThatCell, "cell", cell, raising=False)
    for other in (*State, None):
        if other is not right:
            monkeypatch.setattr(holding, "TABLE", {**holding.TABLE, cell: other})
            with pytest.raises((AssertionError, RecursionError)):
                run(EXAMPLES, STEPS, machine=InThatCell)


if (
    __name__ == "__main__"
):  # python -m tests.source_interface.conversation.holding.test_machine: 100,000 steps, others each time
    run(2600, STEPS, derandomize=False)
