"""What a page shows of a conversation: opened from the sealed files when it is asked for, and kept nowhere.

Everything that a reporter wrote is untrusted: it is cleaned of control characters here and isolated on the page.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date

from common.days import today
from common.envelope_id import is_forwarded_id
from common.registry.registry import Registry, UnknownUnit
from common.report import trail
from common.report.report import INVOLVED, Attachment, Report, clean_text
from journalist_interface.desk.answers.composition import AnswerLost, read_answer
from journalist_interface.desk.opening import facts, failure_reasons
from journalist_interface.desk.opening.hand_sealed import (
    HandSealed,
    find_sealed_texts,
    may_be_sealed,
    open_by_hand,
)
from journalist_interface.desk.opening.inspection import AT_ONCE, CannotOpen, key_is_locked, open_envelope
from journalist_interface.desk.opening.oversight import addressee, is_second_seal
from journalist_interface.desk.rows.conversations import Place
from journalist_interface.desk.rows.envelopes import Envelope
from journalist_interface.desk.services import Desk, NotHere
from journalist_interface.desk.stick import disclosures
from journalist_interface.desk.stick.disclosures import ShownContact
from journalist_interface.workstation.references import message_reference

OPENED_AT_ONCE = 512 * 1024 * 1024  # bytes of sealed files that one page opens; what is beyond has a link


@dataclass(frozen=True)
class ShownFile:
    """A file of a message. `number` counts from 1 in the order of the manifest."""

    number: int
    name: str = field(repr=False)
    size: int
    kind: str = field(repr=False)
    sha256: str
    may_be_sealed: bool


@dataclass(frozen=True)
class ShownStep:
    """A step of the trail: who passed the message on, in words. `holds`: by the registry that is here, it was them."""

    by: str
    sentence: str
    originals: tuple[str, ...]
    holds: bool


@dataclass(frozen=True)
class ShownMessage:
    """A message of the reporter. `left_closed`: it is large, and is opened on a page of its own."""

    id: str
    day: date
    first: bool
    size: int
    left_closed: bool = False
    problem: str | None = None
    text: str = field(default="", repr=False)
    for_unit: str = ""
    kept_from: str = ""  # what the reporter asked, in words
    involved: str = ""  # that those who would see it, or are above them, may be involved, in words
    sealed_texts: int = 0  # how many armoured messages are in the text; opened when asked for
    trail: tuple[ShownStep, ...] = ()
    unaccounted: bool = False  # another unit posted it, and no step of its trail that holds says so
    files: tuple[ShownFile, ...] = field(default=(), repr=False)
    copy_of: str | None = None  # the name of who holds what this is a copy of
    contact: ShownContact | None = None  # that details were given in confidence; never what they say

    @property
    def reference(self) -> str:
        """What people call it."""
        return message_reference(self.id)


@dataclass(frozen=True)
class ShownAnswer:
    """An answer of the unit."""

    id: str
    day: date
    state: str
    exported: date | None
    problem: str | None = None
    text: str = field(default="", repr=False)


def show(desk: Desk, places: Sequence[Place]) -> list[ShownMessage | ShownAnswer]:
    """What stands in these places, in their order. The newest message is opened whatever its size."""
    sizes = {place.id: _size(desk, place) for place in places if not place.is_answer}
    registry = desk.settings.registry_if_it_holds()
    opened: set[str] = set()
    room = OPENED_AT_ONCE
    for place in reversed(places):
        if not place.is_answer and (not opened or sizes[place.id] <= room):
            opened.add(place.id)
            room -= sizes[place.id]

    def show_one(place: Place) -> ShownMessage | ShownAnswer:
        if place.is_answer:
            return _show_answer(desk, place)
        if place.id in opened:
            return _show_message(desk, registry, place.id, may_ask=False)
        return ShownMessage(place.id, place.day, place.kind == 0, sizes[place.id], left_closed=True)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        shown = list(threads.map(show_one, places))
    return _with_the_key(desk, registry, shown)


def _with_the_key(
    desk: Desk, registry: Registry | None, shown: list[ShownMessage | ShownAnswer]
) -> list[ShownMessage | ShownAnswer]:
    """Those that no key opened are tried again, once the person has unlocked the unit's: asked for that once."""
    without = {one.id for one in shown if one.problem == failure_reasons.SENTENCES[failure_reasons.NO_KEY]}
    if not without or key_is_locked(desk):
        return shown
    return [
        _show_message(desk, registry, one.id, may_ask=True) if one.id in without else one for one in shown
    ]


def show_message(desk: Desk, envelope_id: str) -> ShownMessage:
    """One message, opened. Raises NotHere for one that is not here."""
    return _show_message(desk, desk.settings.registry_if_it_holds(), envelope_id, may_ask=True)


def open_sealed_text(desk: Desk, envelope: Envelope, number: int) -> HandSealed:
    """What is in the armoured message `number` of a text, from 1 on. Raises NotHere or CannotOpen."""
    _, opened, _ = open_envelope(desk, envelope.id, envelope.size)
    found = find_sealed_texts(clean_text(opened.report.text))
    if not 1 <= number <= len(found):
        raise NotHere("no such words")
    return open_by_hand(desk.opener, found[number - 1])


def _show_message(desk: Desk, registry: Registry | None, envelope_id: str, *, may_ask: bool) -> ShownMessage:
    row = desk.cabinet.envelopes.get(envelope_id)
    if row is None:
        raise NotHere("no such message")
    try:
        _, opened, _ = open_envelope(desk, row.id, row.size, may_ask=may_ask)
    except CannotOpen as error:
        code = failure_reasons.DESTROYED if desk.cabinet.sealed_to.is_destroyed(row.epoch) else error.code
        return ShownMessage(row.id, row.day, row.first, row.size, problem=failure_reasons.SENTENCES[code])
    text = clean_text(opened.report.text)
    steps = _shown_trail(registry, opened.report)
    its = addressee(opened.report)
    is_copy = its != desk.settings.unit and is_second_seal(desk.settings.unit, its, registry)
    accounted = bool(steps) and steps[-1].holds and (is_copy or its == desk.settings.unit)
    return ShownMessage(
        id=row.id,
        day=row.day,
        first=row.first,
        size=row.size,
        text=text,
        for_unit=clean_text(opened.report.unit),
        kept_from=facts.kept_from_in_words([opened.report.kept_from], registry, today()),
        involved=INVOLVED if opened.report.involved else "",
        sealed_texts=len(find_sealed_texts(text)),
        trail=steps,
        unaccounted=is_forwarded_id(row.id) and not accounted,
        files=tuple(_shown_file(number, file) for number, file in enumerate(opened.files, 1)),
        contact=disclosures.shown(desk, row.id, opened.report),
        copy_of=_name_of(registry, its) if is_copy else None,
    )


def _shown_trail(registry: Registry | None, report: Report) -> tuple[ShownStep, ...]:
    """The trail as a page shows it. What it says was checked to be of its form, and is still another's word."""
    if not report.trail:
        return ()
    shown = []
    for signed in report.trail:
        step = trail.claimed(signed)
        holds = registry is not None and trail.holds(signed, report.conversation.identity, registry)
        by, to = _name_of(registry, step.by), _name_of(registry, step.to)
        shown.append(ShownStep(by, replace(step, to=to).sentence, step.originals, holds))
    return tuple(shown)


def _name_of(registry: Registry | None, untrusted_id: str) -> str:
    try:
        return registry.unit(untrusted_id).name if registry else clean_text(untrusted_id)[:64]
    except UnknownUnit:
        return clean_text(untrusted_id)[:64]


def base_name(file: Attachment) -> str:
    """A file's name without its folder: made by common.report.filename, so it has no path in it."""
    return file.name.rpartition("/")[2]


def _shown_file(number: int, file: Attachment) -> ShownFile:
    return ShownFile(
        number=number,
        name=base_name(file),
        size=file.size,
        kind=clean_text(file.kind)[:100],
        sha256=file.sha256,
        may_be_sealed=may_be_sealed(file),
    )


def _size(desk: Desk, place: Place) -> int:
    row = desk.cabinet.envelopes.get(place.id)
    return 0 if row is None else row.size


def _show_answer(desk: Desk, place: Place) -> ShownAnswer:
    row = desk.cabinet.answers.get(place.id)
    state, exported = (row.state, row.exported) if row else ("", None)
    try:
        text = read_answer(desk, place.id).text
    except AnswerLost as error:
        return ShownAnswer(place.id, place.day, state, exported, problem=str(error))
    return ShownAnswer(place.id, place.day, state, exported, text=text)
