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
from common.conversation.header import Header
from common.conversation.links import new_link
from common.days import today
from common.registry.registry import Registry, UnknownUnit
from common.registry.units import Unit
from common.report.report import SEVERAL
from common.report.routing import kept_from_units
from source_interface.conversation.visit import Visit
from source_interface.intake.message import Sender
from source_interface.refusals import Refused
from source_interface.session import Session

_CONTEXT = b"candour/1 addressees\n"
_WORD_BYTES = 16
_FIRST_SEQUENCES = 2**40  # so that no unit learns from one how many messages went before


@dataclass(frozen=True)
class Addressees:
    """Whom the next message goes to. No `units`: nobody, before the reporter has chosen.

    `header`: what that message leaves. `first`: they have had nothing of this conversation from its reporter. `chosen`:
    by the reporter, in this visit.
    """

    units: tuple[Unit, ...] = ()
    header: Header | None = None
    word: str = field(default="", repr=False)  # for a form that may be sent to them
    first: bool = True
    chosen: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        """Whom the page names."""
        return tuple(unit.name for unit in self.units)

    @property
    def contact_to(self) -> str | None:
        """The holder's name, where contact details can be given to it in confidence."""
        return self.units[0].name if self.units and self.units[0].takes_contacts else None

    def sender(self, found: Visit, untrusted_word: str) -> Sender:
        """Who writes, to whom. Raises Refused where it would go to nobody, or to others than the page had shown."""
        if self.header is None:
            raise Refused("unrouted")
        if not hmac.compare_digest(untrusted_word.encode(), self.word.encode()):
            raise Refused("other addressees")
        return Sender(found.keys, self.units, self.header, first=self.first)


def of_first_report(session: Session, registry: Registry, found: Visit) -> Addressees:
    """Who was shown when it began: all of them, or nobody. Raises Refused."""
    units = _chosen(session, registry)
    if not units:
        raise Refused("stale")
    return _addressees(session, registry, found, units, chosen=False)


def of_next(session: Session, registry: Registry, found: Visit) -> Addressees:
    """Whom the next message of a conversation goes to.

    What the reporter chose in this visit stands, even if who had it is there again; and if who was chosen is not, it
    goes to nobody, never back to others.
    """
    if session.again or (session.unit and not found.messages and found.header is None):
        return _addressees(session, registry, found, _chosen(session, registry), chosen=session.again)
    if found.is_seen or (session.unit and found.messages):
        return _addressees(session, registry, found, found.recipients, chosen=False)
    return Addressees()


def _addressees(
    session: Session, registry: Registry, found: Visit, units: tuple[Unit, ...], *, chosen: bool
) -> Addressees:
    if not units:
        return Addressees(chosen=chosen)
    if chosen:
        session = _with_what_was_said(session, registry, found, units)
    word, goes_on = _word(session, found, units), _next_header(session, found, units, chosen=chosen)
    first = found.header is None or goes_on.first_link != found.header.first_link
    return Addressees(units, goes_on, word, first, chosen)


def _next_header(session: Session, found: Visit, units: tuple[Unit, ...], *, chosen: bool) -> Header:
    """As it went on until now where it goes to the same; otherwise it begins anew with whom the reporter chose."""
    before = found.header
    if before is not None and units == found.recipients:
        header = replace(
            before,
            holders=found.holding.holders,
            marks=found.holding.marks,
            sequence=before.sequence + 1,
            second=None if found.holding.before or len(units) == 1 else units[1].id,
        )
        return replace(header, kept_from=session.kept_from, involved=session.involved) if chosen else header
    return Header(
        first_link=new_link(),
        holders=(units[0].id,),
        sequence=before.sequence + 1 if before else secrets.randbelow(_FIRST_SEQUENCES),
        second=units[1].id if len(units) > 1 else None,
        kept_from=session.kept_from,
        involved=session.involved,
    )


def _with_what_was_said(
    session: Session, registry: Registry, found: Visit, units: tuple[Unit, ...]
) -> Session:
    """The answers of this visit, with those of before where the questions did not show them.

    Whoever now chooses a unit that serves a force of before has said something else, and that counts.
    """
    before = found.header
    if before is None or found.is_seen:
        return session
    said = {before.kept_from, session.kept_from} - {""}
    if {unit.id for unit in units} & kept_from_units(registry, today(), [before.kept_from]):
        said.discard(before.kept_from)
    kept_from = SEVERAL if len(said) > 1 else next(iter(said), "")
    return replace(session, kept_from=kept_from, involved=before.involved or session.involved)


def _chosen(session: Session, registry: Registry) -> tuple[Unit, ...]:
    """Who was chosen in this visit: all of them, and never another in their place; otherwise nobody."""
    try:
        return tuple(registry.recipient(chosen) for chosen in (session.unit, session.second) if chosen)
    except UnknownUnit:
        return ()


def _word(session: Session, found: Visit, units: tuple[Unit, ...]) -> str:
    named = " ".join((session.csrf, *(unit.id for unit in units))).encode()
    mac = hmac.digest(found.keys.secrets.header_key.reveal(), _CONTEXT + named, hashlib.sha256)
    return canonical.encode(mac[:_WORD_BYTES])
