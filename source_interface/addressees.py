"""Who can open what is written next: as the conversation says, or as the reporter chose in this visit.

The page says who that is, and its form carries a word for them, so that what was shown is what counts. The word is a
MAC by a key that follows from the codename: it tells nothing, and is there for a codename that was never used as well.
Nobody is named as long as that is how it has to look: whoever tries a codename, and writes, learns nothing.
"""

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import date

from common import canonical
from common.days import today
from common.registry import Registry, UnknownUnit
from common.reply import Header
from common.units import Unit
from source_interface.intake import Sender
from source_interface.refusals import Refused
from source_interface.session import Session
from source_interface.visit import Visit

_CONTEXT = b"candour/1 addressees\n"
_WORD_BYTES = 16


@dataclass(frozen=True)
class Addressees:
    """Whom the next message goes to. No `units`: nobody, before the reporter has chosen.

    `header`, `stands_since` and `first` are what `Sender` has of these names. `shown`: whom the page names.
    `contact_to`: the holder's name, where contact details can be given in confidence.
    """

    units: tuple[Unit, ...]
    header: Header | None
    words: tuple[str, ...] = field(
        default=("",), repr=False
    )  # of a form that may be sent to them; theirs first
    stands_since: date | None = None
    first: bool = True
    chosen: bool = False  # in place of who had it
    shown: tuple[str, ...] = ()
    contact_to: str | None = None

    @property
    def word(self) -> str:
        """Their word, for a form."""
        return self.words[0]

    def sender(self, found: Visit, untrusted_word: str) -> Sender:
        """Who writes, to whom. Raises Refused where it would go to nobody, or to others than the page had shown."""
        if self.header is None:
            raise Refused("unrouted")
        if not any(hmac.compare_digest(untrusted_word.encode(), word.encode()) for word in self.words):
            raise Refused("other addressees")
        return Sender(
            found.secrets, found.reply_key, self.units, self.header, self.stands_since, first=self.first
        )


def of_first_report(session: Session, registry: Registry, found: Visit) -> Addressees:
    """Who was shown when it began: all of them, or nobody. Raises Refused."""
    units = _chosen(session, registry)
    if not units:
        raise Refused("stale")
    return _against_what_lies_there(session, found, units, is_known=True)


def of_next(session: Session, registry: Registry, found: Visit) -> Addressees:
    """Whom the next message of a conversation goes to.

    What the reporter chose in this visit stands, even if who had it is there again; and if who was chosen is not, it
    goes to nobody, never back to others.
    """
    if session.again:
        units = _chosen(session, registry)
        chosen = _against_what_lies_there(session, found, units, is_known=True)
        of_nobody = _word(session, found, ())  # a page that named nobody, whereupon they were chosen
        return replace(chosen, words=(*chosen.words, of_nobody), chosen=True)
    if found.header is None:
        units = _chosen(session, registry) if session.unit else (default_unit(registry),)
        return _against_what_lies_there(session, found, units, is_known=_is_known(session, found))
    header = found.header if found.recipients else None
    to = Addressees(found.recipients, header, stands_since=found.stands_since, first=False)
    return _named(session, found, to, is_known=_is_known(session, found))


def default_unit(registry: Registry) -> Unit:
    """Who receives what nobody was chosen for: what is written under a codename that was never used, or long ago."""
    units = registry.enrolled_units()
    return units[0] if len(units) == 1 else registry.desk


def _is_known(session: Session, found: Visit) -> bool:
    """It is no secret that the codename is in use: anybody sees it, or this is the browser in which it was begun."""
    return found.is_seen or bool(session.unit and found.messages)


def _against_what_lies_there(
    session: Session, found: Visit, units: tuple[Unit, ...], *, is_known: bool
) -> Addressees:
    """For a conversation that has no header yet, or gets another."""
    header = None
    if units:
        second = units[1].id if len(units) > 1 else None
        header = Header(
            *(units[0].id, today(), second, session.kept_from),
            settled=found.overridden,
            involved=session.involved,
        )
    return _named(session, found, Addressees(units, header), is_known=is_known)


def _named(session: Session, found: Visit, to: Addressees, *, is_known: bool) -> Addressees:
    """With what the page says of them, and its form."""
    names = tuple(unit.name for unit in to.units)
    takes_contacts = bool(names) and to.units[0].takes_contacts and (is_known or bool(found.messages))
    return replace(
        to,
        words=(_word(session, found, to.units),),
        shown=names if is_known else (),
        contact_to=names[0] if takes_contacts else None,
    )


def _chosen(session: Session, registry: Registry) -> tuple[Unit, ...]:
    """Who was chosen in this visit: all of them, and never another in their place; otherwise nobody."""
    try:
        return tuple(registry.recipient(chosen) for chosen in (session.unit, session.second) if chosen)
    except UnknownUnit:
        return ()


def _word(session: Session, found: Visit, units: tuple[Unit, ...]) -> str:
    named = " ".join((session.csrf, *(unit.id for unit in units))).encode()
    mac = hmac.digest(found.secrets.header_key.reveal(), _CONTEXT + named, hashlib.sha256)
    return canonical.encode(mac[:_WORD_BYTES])
