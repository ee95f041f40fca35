"""Opening an envelope, and the first look: what the desk must know of each to list it.

A stream out of gpg is kept no further than its last few megabytes, whatever its size, and is never written
anywhere. No more comes out than was sealed, since Candour seals without compression: what expands is refused.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from common import envelope
from common.days import today
from common.envelope import NotAnEnvelope, Opened, Tail
from common.opening import OpeningFailed
from journalist_interface.desk import packets, reasons
from journalist_interface.desk.envelopes import Inside, Look
from journalist_interface.desk.oversight import is_ours
from journalist_interface.desk.places import where
from journalist_interface.desk.rows import SEALED, UNREADABLE
from journalist_interface.desk.workplace import Desk

AT_ONCE = 2  # gpg processes: one for each core of a small workstation
_BATCH = 64
_OUTSIDE = 64 * 1024  # bytes that hold the session keys of a message that Candour sealed

_log = logging.getLogger(__name__)


class CannotOpen(Exception):
    """The message cannot be opened. It stays sealed on the desk's disk."""

    def __init__(self, code: str) -> None:
        super().__init__(reasons.SENTENCES[code])
        self.code = code


@dataclass(frozen=True)
class Looked:
    """What first looks found. `locked`: the unit's key did not open, so the rest was left for later."""

    opened: int = 0
    unreadable: int = 0
    locked: bool = False


def open_envelope(desk: Desk, envelope_id: str, size: int) -> tuple[Tail, Opened, str]:
    """The report in an envelope of `size` bytes, the end of its stream, and its key. Raises CannotOpen."""
    path, tail = desk.files.envelope(envelope_id), Tail()
    if not path.is_file():
        raise CannotOpen(reasons.MISSING)
    with path.open("rb") as sealed:
        try:
            packets.check(sealed.read(_OUTSIDE))
        except packets.NotOpenedHere as error:
            raise CannotOpen(reasons.NOT_SEALED) from error
    try:
        key = desk.opener.open(path, tail.feed, most=size)
    except OpeningFailed as error:
        raise CannotOpen(reasons.code_of(error)) from error
    try:
        return tail, envelope.read(tail), key
    except NotAnEnvelope as error:
        raise CannotOpen(reasons.NOT_A_REPORT) from error
    except Exception as error:
        # Whatever a hostile archive makes a parser raise: one envelope must not keep the others from being read.
        _log.warning("an envelope's archive was refused: %s", where(error))
        raise CannotOpen(reasons.NOT_A_REPORT) from error


def look_into_new(desk: Desk) -> Looked:
    """Open each envelope that was never opened once. To be called while holding the desk's lock."""
    return _look_into(desk, SEALED)


def look_again(desk: Desk) -> Looked:
    """Try those again that did not open: a card may be in its reader now. Raises StickBusy."""
    with desk.alone():
        return _look_into(desk, UNREADABLE)


def _look_into(desk: Desk, state: str) -> Looked:
    opened, unreadable, after = 0, 0, ""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        while batch := desk.cabinet.envelopes.in_state(state, after, _BATCH):
            if _key_is_locked(desk):
                return Looked(opened, unreadable, locked=True)
            looks = list(threads.map(lambda found: _first_look(desk, *found), batch))
            if any(look.reason == reasons.NO_KEY for look in looks) and _key_is_locked(desk):
                # It was taken away meanwhile: what did not open for that is looked at another time.
                looks = [look for look in looks if look.reason != reasons.NO_KEY]
            desk.cabinet.envelopes.note(looks, today())
            opened += sum(look.inside is not None for look in looks)
            unreadable += sum(look.inside is None for look in looks)
            after = batch[-1][0]
    return Looked(opened, unreadable)


def _key_is_locked(desk: Desk) -> bool:
    """True when the unit's key does not open what is surely sealed to it: the key that signs answers.

    gpg says the same of a missing passphrase and of a message for somebody else. Asking once here also means
    that a person is asked for the passphrase once, not for every envelope.
    """
    if not desk.settings.reply_key.is_file():
        return False
    try:
        desk.opener.open(desk.settings.reply_key, lambda _: None)
    except OpeningFailed:
        return True
    return False


def _first_look(desk: Desk, envelope_id: str, size: int) -> Look:
    try:
        tail, opened, key = open_envelope(desk, envelope_id, size)
    except CannotOpen as error:
        return Look(envelope_id, None, error.code)
    inside = Inside(
        conversation=opened.report.conversation.identity,
        first=opened.report.first,
        day=opened.report.day,
        files=len(opened.files),
        sha256=tail.sha256.hexdigest(),
        epoch=key,
        ours=is_ours(envelope_id, opened.report, desk.settings.unit),
    )
    return Look(envelope_id, inside)
