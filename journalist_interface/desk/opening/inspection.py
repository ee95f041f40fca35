"""Opening an envelope, and the first look: what the desk must know of each to list it.

A stream out of gpg is kept no further than its last few megabytes, whatever its size, and is never written
anywhere. No more comes out than was sealed, since Candour seals without compression: what expands is refused.

Nobody is asked for anything while an envelope is being opened. Where no key opens it, the desk opens a file of its own,
and asks for the unit's passphrase there.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from common.days import today
from common.error_place import kind_and_place
from common.gpg.keyring import any_on_card
from common.gpg.opening import OpeningFailed, Unopened
from common.report import archive
from common.report.archive import NotAnEnvelope, Opened, Tail
from journalist_interface.desk.opening import failure_reasons
from journalist_interface.desk.opening.oversight import is_ours
from journalist_interface.desk.rows.envelopes import Inside, Look
from journalist_interface.desk.rows.models import SEALED, UNREADABLE
from journalist_interface.desk.services import Desk

AT_ONCE = 2  # gpg processes: one for each core of a small workstation
_BATCH = 64

_log = logging.getLogger(__name__)


class CannotOpen(Exception):
    """The message cannot be opened. It stays sealed on the desk's disk."""

    def __init__(self, code: str) -> None:
        super().__init__(failure_reasons.SENTENCES[code])
        self.code = code


@dataclass(frozen=True)
class Looked:
    """What first looks found. `locked`: the unit's key did not open, so the rest was left for later."""

    opened: int = 0
    unreadable: int = 0
    locked: bool = False


def open_sealed(
    desk: Desk, sealed: Path, take: Callable[[bytes], None], most: int, *, may_ask: bool = True
) -> str:
    """Hand the content of an envelope to `take`. The fingerprint of the key that opens it. Raises CannotOpen.

    Where no key opens it, the unit's key may be locked: then the person is asked for that, if `may_ask`, and it is
    tried again. For a key on a card gpg may then ask once more, since a card has one key; it can ask for nothing else.
    """
    try:
        return desk.opener.open(sealed, take, most)
    except OpeningFailed as error:
        if error.reason is not Unopened.NO_KEY or not may_ask or key_is_locked(desk):
            raise CannotOpen(failure_reasons.code_of(error)) from error
    try:
        return desk.opener.open(sealed, take, most, ask=any_on_card(desk.settings.gnupg))
    except OpeningFailed as error:
        raise CannotOpen(failure_reasons.code_of(error)) from error


def open_envelope(
    desk: Desk, envelope_id: str, size: int, *, may_ask: bool = True
) -> tuple[Tail, Opened, str]:
    """The report in an envelope of `size` bytes, the end of its stream, and its key. Raises CannotOpen."""
    tail = Tail()
    key = open_sealed(desk, desk.files.envelope(envelope_id), tail.feed, size, may_ask=may_ask)
    try:
        return tail, archive.read(tail), key
    except NotAnEnvelope as error:
        raise CannotOpen(failure_reasons.NOT_A_REPORT) from error
    except Exception as error:
        # Whatever a hostile archive makes a parser raise: one envelope must not keep the others from being read.
        _log.warning("an envelope's archive was refused: %s", kind_and_place(error))
        raise CannotOpen(failure_reasons.NOT_A_REPORT) from error


def look_into_new(desk: Desk) -> Looked:
    """Open each envelope that was never opened once. To be called while holding the desk's lock."""
    return _look_into(desk, SEALED)


def look_again(desk: Desk) -> Looked:
    """Try those again that did not open: a card may be in its reader now. Raises StickBusy."""
    with desk.alone():
        return _look_into(desk, UNREADABLE)


def _look_into(desk: Desk, state: str) -> Looked:
    """Look into all envelopes of a state. Each is listed as soon as it was looked into, whatever the others do."""
    opened, unreadable, after = 0, 0, ""
    while batch := desk.cabinet.envelopes.in_state(state, after, _BATCH):
        if key_is_locked(desk):
            return Looked(opened, unreadable, locked=True)
        without_key = []
        for look in _first_looks(desk, batch):
            if look.reason == failure_reasons.NO_KEY:
                without_key.append(look.id)
                continue
            opened += _note(desk, look)
            unreadable += look.inside is None
        if without_key and key_is_locked(desk):
            # It was taken away meanwhile: what did not open for that is looked at another time.
            return Looked(opened, unreadable, locked=True)
        for envelope_id, size in batch:
            if envelope_id in without_key:
                look = _first_look(desk, envelope_id, size, may_ask=True)
                opened += _note(desk, look)
                unreadable += look.inside is None
        after = batch[-1][0]
    return Looked(opened, unreadable)


def _first_looks(desk: Desk, batch: Sequence[tuple[str, int]]) -> Iterator[Look]:
    """First looks at these, each as soon as it is there, asking nobody for anything."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        looks = [threads.submit(_first_look, desk, *found) for found in batch]
        try:
            for look in as_completed(looks):
                yield look.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def _note(desk: Desk, look: Look) -> bool:
    """Keep what a first look told. False where the envelope was set aside."""
    desk.cabinet.envelopes.note([look], today())
    return look.inside is not None


def key_is_locked(desk: Desk) -> bool:
    """True when the unit's key does not open what is surely sealed to it: the key that signs answers.

    gpg says the same of a missing passphrase and of a message for somebody else. Asking once here also means
    that a person is asked for the passphrase once, not for every envelope.
    """
    if not desk.settings.reply_key.is_file():
        return False
    try:
        desk.opener.open(desk.settings.reply_key, lambda _: None, ask=True)
    except OpeningFailed:
        return True
    return False


def _first_look(desk: Desk, envelope_id: str, size: int, *, may_ask: bool = False) -> Look:
    """What a first opening tells. Whatever goes wrong is this envelope's alone."""
    try:
        tail, opened, key = open_envelope(desk, envelope_id, size, may_ask=may_ask)
        inside = Inside(
            conversation=opened.report.conversation.identity,
            first=opened.report.first,
            day=opened.report.day,
            files=len(opened.files),
            sha256=tail.sha256.hexdigest(),
            epoch=key,
            ours=is_ours(envelope_id, opened.report, desk.settings.unit),
        )
    except CannotOpen as error:
        return Look(envelope_id, None, error.code)
    except Exception as error:  # noqa: BLE001  logged by its place, and on the page by its code
        _log.warning("an envelope was set aside: %s", kind_and_place(error))
        return Look(envelope_id, None, failure_reasons.FAILED)
    return Look(envelope_id, inside)
