"""What couriers delivered, as the settlement takes it in: receipts first, then answers, then envelopes passed on.

All of it is looked at again as if nobody had: whether the unit is enrolled, signed it, and signed it in these weeks. As
much of a unit is taken at once as its courier may deliver until then; the rest waits for the next settlement. What is
not as a courier leaves it is deleted, and counted. What its unit's desk signed and cannot be taken is returned: the
unit's courier is told which and why, once the unit is enrolled again if it was suspended. What is signed by another key
is returned too, for the desk's may have changed meanwhile; it takes no more than half of the rows that are kept.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice

from sqlalchemy import Connection, bindparam, insert, select

from common.canonical import NotCanonical
from common.config import Limits
from common.conversation.mailbox import TAG_BYTES
from common.days import midnight_of
from common.envelope_id import forwarded_id, is_forwarded_id
from common.folders import entered
from common.registry.registry import Registry, UnknownUnit
from common.registry.units import Unit
from common.signing import BadSignature
from common.store import returned
from common.store.blobs import PendingBlob
from common.store.delivered import MOST_LOOKED_AT, Found, NotEntered, UnitFolder, delete_folder, unit_folder
from common.store.inbox import AHEAD, MOST_FORWARDS, MOST_POSTS, OLDEST, PART, SLIP, Inbox
from common.store.models import TAKEN, EnvelopeRow
from common.store.repository import Store, add_reply
from common.store.values import NoFreeSlot, State, Why
from common.transport import forwarding, post
from common.transport.forwarding import SLIP_BYTES, Slip
from common.transport.post import ReceiptsPost, ReplyPost

KEEP_UNFINISHED = timedelta(days=7)
_ROOM_OF_A_POST = 64 * 1024  # bytes: more than its row takes, with SQLite's log
_CHUNK = 1024 * 1024
_DIGESTS = select(EnvelopeRow.id, EnvelopeRow.sha256).where(
    EnvelopeRow.unit == bindparam("of_unit"), EnvelopeRow.id.in_(bindparam("ids", expanding=True))
)


class _Refused(Exception):
    """It is as a courier leaves it, and not to be taken."""


def take_in(store: Store, inbox: Inbox, registry: Registry, limits: Limits, day: date) -> int:
    """Take in what lies in the inbox. Returns how many things there were not as a courier leaves them.

    Of a unit that is not enrolled nothing is taken: it is returned. What lies beside those that have keys is deleted.
    """
    units = {unit.id: unit for unit in registry.units if unit.reply_key}
    odd = 0
    with entered(inbox.root) as root:
        for unit in units.values():
            try:
                with unit_folder(unit.id, root) as folder:
                    if folder is None:
                        continue
                    arrivals = _UnitsArrivals(store, registry, limits, unit, folder, day)
                    odd += arrivals.take_in() if unit.is_enrolled else arrivals.send_back()
                    folder.blur()
                if not unit.is_enrolled:
                    odd += not UnitFolder(root).delete(unit.id)
            except NotEntered:  # a link, perhaps: it goes, so that the unit's courier can deliver again
                UnitFolder(root).delete(unit.id)
                odd += 1
        with os.scandir(root) as entries:
            others = [entry.name for entry in islice(entries, MOST_LOOKED_AT) if entry.name not in units]
        odd += sum(delete_folder(root, name) for name in others)
        UnitFolder(root).blur()
    return odd


@dataclass
class _Posts:
    """The posts of a unit, by identity: checked, and not yet in any row."""

    replies: dict[str, ReplyPost] = field(default_factory=dict)
    receipts: dict[str, ReceiptsPost] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


class _UnitsArrivals:
    """What lies in the folder of one enrolled unit."""

    def __init__(
        self, store: Store, registry: Registry, limits: Limits, unit: Unit, folder: UnitFolder, day: date
    ) -> None:
        self._store, self._registry, self._limits = store, registry, limits
        self._unit, self._folder, self._day = unit, folder, day

    def take_in(self) -> int:
        """Returns how many things were not as a courier leaves them."""
        found = self._folder.look()
        taken = self._forget_taken()
        posts = self._read_posts([name for name in found.posts if name not in taken])
        self._note_receipts(posts.receipts)
        self._put_replies(posts)
        self._delete([*posts.receipts, *posts.foreign, *found.foreign])
        foreign = self._take_forwards(found.forwards)
        self._delete_old(found)
        return len(posts.foreign) + len(found.foreign) + foreign

    def send_back(self) -> int:
        """Return all that is whole, take nothing, and delete what lies there. Returns as `take_in` does."""
        found = self._folder.look()
        taken = self._forget_taken()
        posts = self._read_posts([name for name in found.posts if name not in taken])
        refused = [*posts.replies, *posts.receipts, *posts.refused]
        unsigned, foreign = posts.unsigned, len(posts.foreign)
        for envelope_id in found.forwards[:MOST_FORWARDS]:
            try:
                self._slip(envelope_id)
                refused.append(envelope_id)
            except _Refused:
                refused.append(envelope_id)
            except BadSignature:
                unsigned.append(envelope_id)
            except NotCanonical:
                foreign += 1
        with self._store.writing() as connection:
            self._note_outcomes(connection, dict.fromkeys(refused, Why.REFUSED), unsigned)
        self._delete(self._folder.names())
        return foreign + len(found.foreign)

    # Posts.

    def _read_posts(self, names: Sequence[str]) -> _Posts:
        posts = _Posts()
        for name in names[:MOST_POSTS]:
            document = self._folder.read(name, post.MOST_BYTES)
            if document is None or post.identity(document) != name:
                posts.foreign.append(name)
                continue
            try:
                self._sort(posts, name, post.read(document, self._unit.reply_key))
            except NotCanonical:
                posts.foreign.append(name)
            except BadSignature:
                posts.unsigned.append(name)
            except _Refused:
                posts.refused.append(name)
        return posts

    def _sort(self, posts: _Posts, name: str, read: ReplyPost | ReceiptsPost) -> None:
        self._check(read.unit, read.day)
        if isinstance(read, ReplyPost):
            posts.replies[name] = read
        else:
            posts.receipts[name] = read

    def _check(self, unit: str, day: date) -> None:
        if unit != self._unit.id or not self._day - OLDEST <= day <= self._day + AHEAD:
            raise _Refused

    def _note_receipts(self, receipts: dict[str, ReceiptsPost]) -> None:
        """An envelope is held where the desk's SHA-256 is that of what was listed."""
        for receipt in receipts.values():
            with self._store.reading() as connection:
                asked = {"of_unit": self._unit.id, "ids": list(receipt.held)}
                kept = connection.execute(_DIGESTS, asked).all()
            same = [one for one, digest in kept if digest and digest.hex() == receipt.held[one]]
            if same:
                self._store.note_held(self._unit.id, same, self._day)

    def _put_replies(self, posts: _Posts) -> None:
        """Put answers into their slots, all in one step; those for which there is no room stay where they are."""
        taken = posts.replies if self._has_room(len(posts.replies) * _ROOM_OF_A_POST) else {}
        if not taken and not posts.refused and not posts.unsigned:
            return
        outcomes: dict[str, str] = dict.fromkeys(posts.refused, Why.REFUSED)
        with self._store.writing() as connection:
            for name, reply in taken.items():
                try:
                    add_reply(connection, reply.candidates, reply.ciphertext, self._day)
                    outcomes[name] = TAKEN
                except NoFreeSlot:
                    outcomes[name] = Why.NO_PLACE
            self._note_outcomes(connection, outcomes, posts.unsigned)
        self._delete([*outcomes, *posts.unsigned])
        self._forget_taken()

    def _note_outcomes(
        self, connection: Connection, outcomes: dict[str, str], unsigned: Sequence[str] = ()
    ) -> None:
        returned.note_outcomes(connection, self._unit.id, self._day, outcomes, unsigned)

    def _forget_taken(self) -> set[str]:
        return returned.forget_taken(self._store, self._unit.id, self._folder)

    # Envelopes that one unit passes on to another.

    def _take_forwards(self, ids: Sequence[str]) -> int:
        """Returns how many were not as a courier leaves them."""
        foreign, taken_bytes = 0, 0
        for envelope_id in ids[:MOST_FORWARDS]:
            try:
                slip = self._slip(envelope_id)
                taken_bytes += slip.size
                if taken_bytes > self._limits.largest_sealed_bytes or not self._has_room(slip.size):
                    break  # it and the rest wait
                self._take_forward(slip)
            except NotCanonical:
                foreign += 1
            except _Refused:
                with self._store.writing() as connection:
                    self._note_outcomes(connection, {envelope_id: Why.REFUSED})
            except BadSignature:
                with self._store.writing() as connection:
                    self._note_outcomes(connection, {}, [envelope_id])
            self._delete([envelope_id, envelope_id + SLIP])
        return foreign

    def _slip(self, envelope_id: str) -> Slip:
        """Raises NotCanonical, BadSignature or _Refused."""
        document = self._folder.read(envelope_id + SLIP, SLIP_BYTES)
        if document is None or not is_forwarded_id(envelope_id):
            raise NotCanonical("no slip, or not of an envelope passed on")
        slip = forwarding.read_slip(document, self._unit.reply_key)
        self._check(slip.by, slip.day)
        if slip.id != envelope_id or slip.id != forwarded_id(slip.sha256):
            raise NotCanonical("a slip of another envelope")
        try:
            self._registry.recipient(slip.to)
        except UnknownUnit as error:
            raise _Refused from error
        if slip.to == self._unit.id or slip.size > self._limits.largest_sealed_bytes:
            raise _Refused
        return slip

    def _take_forward(self, slip: Slip) -> None:
        """Copy an envelope into a blob of our own, and keep it if that is what the slip says.

        Its receipt tag is drawn at random, so that it follows from no codename: a reporter's withdrawing does not
        reach it, and nothing ties it to the envelope that it came from.
        """
        with self._store.reading() as connection:
            owner = connection.execute(select(EnvelopeRow.unit).where(EnvelopeRow.id == slip.id)).scalar()
        if owner == slip.to:
            return  # it is here already
        if owner is not None:
            raise _Refused
        with self._store.blobs.create(slip.id) as blob:
            self._copy(slip, blob)
            size = self._store.blobs.commit(blob, self._day)
            row = {"id": slip.id, "unit": slip.to, "day": self._day, "padded_size": size, "state": State.NEW}
            with self._store.writing() as connection:
                connection.execute(insert(EnvelopeRow), row | {"receipt_tag": secrets.token_bytes(TAG_BYTES)})

    def _copy(self, slip: Slip, blob: PendingBlob) -> None:
        """Raises NotCanonical where what lies there is not what the slip says."""
        digest, copied = hashlib.sha256(), 0
        with ExitStack() as stack:
            try:
                source, size = stack.enter_context(self._folder.opened(slip.id))
            except OSError as error:
                raise NotCanonical("not a plain file") from error
            if size != slip.size:
                raise NotCanonical("another size")
            target = stack.enter_context(open(blob.descriptor, "wb", closefd=False))
            while chunk := os.read(source, min(_CHUNK, slip.size + 1 - copied)):
                copied += len(chunk)
                digest.update(chunk)
                target.write(chunk)
        if copied != slip.size or digest.hexdigest() != slip.sha256:
            raise NotCanonical("altered")

    # What both have.

    def _has_room(self, wanted: int) -> bool:
        blobs = self._store.blobs
        return blobs.free_bytes() - wanted >= self._limits.kept_from_posts(blobs.disk_bytes())

    def _delete(self, names: Iterable[str]) -> None:
        for name in names:
            self._folder.delete(name)

    def _delete_old(self, found: Found) -> None:
        """What no courier has gone on with for a week, so that it does not count for ever."""
        limit = midnight_of(self._day - KEEP_UNFINISHED)
        begun = {name.removesuffix(PART).removesuffix(SLIP) for name in found.unfinished}
        for one in begun:
            both = [name for name in found.unfinished if name in (one + PART, one + SLIP)]
            if all(self._folder.is_older(name, limit) for name in both):
                self._delete(both)
