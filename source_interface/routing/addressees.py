"""Who can open what is written next: as the conversation says, or as the reporter chose in this visit.

The page says who that is, and its form carries a word for them, so that what was shown is what counts. The word is a
MAC by a key that follows from the codename: it tells nothing. There is no form without somebody whom it is for. Where
nothing can be seen of the conversation, the reporter is asked first, whether it has a holder or not: whoever only
tries a codename learns nothing by that.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field, replace

from common import canonical
from common.contexts import Context
from common.conversation.destination import Destination
from common.conversation.header import Header
from common.conversation.links import new_link
from common.days import today
from common.registry.registry import Registry, UnknownUnit
from common.registry.units import Unit
from common.report.report import SEVERAL
from common.report.routing import kept_from_units
from source_interface.conversation.holding import Holding
from source_interface.conversation.visit import Visit
from source_interface.intake.message import Sender
from source_interface.refusals import Refused
from source_interface.session import Session

_WORD_BYTES = 16
_FIRST_SEQUENCES = 2**40  # so that no unit learns from one how many messages went before


@dataclass(frozen=True)
class Addressees:
    """Whom the next message goes to. No `sender`: nobody, before the reporter has chosen.

    `chosen`: by the reporter, in this visit.
    """

    sender: Sender | None = None
    word: str = field(default="", repr=False)  # for a form that may be sent to them
    chosen: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        """Whom the page names."""
        return tuple(unit.name for unit in self.sender.recipients) if self.sender else ()

    @property
    def contact_to(self) -> str | None:
        """The holder's name, where contact details can be given to it in confidence."""
        return self.sender.unit.name if self.sender and self.sender.unit.takes_contacts else None

    def check_word(self, untrusted_word: str) -> Sender:
        """Who writes, to whom. Raises Refused where it would go to nobody, or to others than the page had shown."""
        if self.sender is None:
            raise Refused("unrouted")
        if not hmac.compare_digest(untrusted_word.encode(), self.word.encode()):
            raise Refused("other addressees")
        return self.sender


def of_first_report(session: Session, registry: Registry, found: Visit) -> Addressees:
    """Who was shown when it began: all of them, or nobody. Raises Refused."""
    to = _addressees(session, registry, found, _chosen(session, registry), chosen=False)
    if to.sender is None:
        raise Refused("stale")
    return to


def of_next(session: Session, registry: Registry, found: Visit) -> Addressees:
    """Whom the next message of a conversation goes to.

    What the reporter chose in this visit stands, even if who had it is there again; and if who was chosen is not, it
    goes to nobody, never back to others.
    """
    has_chosen = bool(session.destination.unit)
    if session.again or (has_chosen and not found.messages and found.holding.header is None):
        return _addressees(session, registry, found, _chosen(session, registry), chosen=session.again)
    if found.holding.is_seen or (has_chosen and found.messages):
        return _addressees(session, registry, found, found.holding.recipients, chosen=False)
    return Addressees()


def _addressees(
    session: Session, registry: Registry, found: Visit, units: tuple[Unit, ...], *, chosen: bool
) -> Addressees:
    if not units:
        return Addressees(chosen=chosen)
    before, header = (
        found.holding.header,
        _next_header(session, registry, found.holding, units, chosen=chosen),
    )
    first = before is None or header.first_link != before.first_link
    return Addressees(Sender(found.keys, units, header, first), _word(session, found, units), chosen)


def _next_header(
    session: Session, registry: Registry, held: Holding, units: tuple[Unit, ...], *, chosen: bool
) -> Header:
    """As it went on until now where it goes to the same; otherwise it begins anew with whom the reporter chose."""
    before, said = held.header, session.destination
    if before is None:
        return Header(new_link(), said, secrets.randbelow(_FIRST_SEQUENCES))
    if chosen and not held.is_seen:
        said = _with_what_was_said(said, before.destination, registry)
    if units != held.recipients:
        return Header(new_link(), said, before.sequence + 1)
    said = said if chosen else before.destination
    return replace(
        before,
        destination=replace(said, unit=units[0].id, second=units[1].id if len(units) > 1 else ""),
        sequence=before.sequence + 1,
        before=held.before,
        marks=held.marks,
    )


def _with_what_was_said(now: Destination, before: Destination, registry: Registry) -> Destination:
    """The answers of this visit, with those of before, which the questions did not show.

    Whoever now chooses a unit that serves a force of before has said something else, and that counts.
    """
    said = {before.kept_from, now.kept_from} - {""}
    if kept_from_units(registry, today(), [before.kept_from]).intersection(now.units):
        said.discard(before.kept_from)
    kept_from = SEVERAL if len(said) > 1 else next(iter(said), "")
    return replace(now, kept_from=kept_from, involved=before.involved or now.involved)


def _chosen(session: Session, registry: Registry) -> tuple[Unit, ...]:
    """Who was chosen in this visit: all of them, and never another in their place; otherwise nobody."""
    try:
        return tuple(registry.recipient(chosen) for chosen in session.destination.units)
    except UnknownUnit:
        return ()


def _word(session: Session, found: Visit, units: tuple[Unit, ...]) -> str:
    named = " ".join((session.csrf, *(unit.id for unit in units))).encode()
    mac = hmac.digest(found.keys.secrets.header_key.reveal(), Context.ADDRESSEES.line + named, hashlib.sha256)
    return canonical.encode(mac[:_WORD_BYTES])
