"""Sealing what this desk holds anew, to the unit that it is passed on to and, where that has one, to its second seal.

What a message holds streams out of one gpg into others, and is written nowhere between. Each new envelope carries a
step of the trail that says who passed it on, and why.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.conversation.links import MOST_HANDOVERS, next_link
from common.days import today
from common.envelope_id import forwarded_id
from common.gpg.sealing import Pieces
from common.registry.registry import Registry
from common.registry.units import Unit
from common.report import archive, trail
from common.report.archive import FilePart, NotAnEnvelope
from common.report.report import Report
from common.report.trail import Step, Why
from common.report.transfer import Passing, Pulled
from common.transport import bundle_item
from journalist_interface.desk.opening import failure_reasons
from journalist_interface.desk.opening.inspection import CannotOpen, open_envelope, open_sealed
from journalist_interface.desk.rows.envelopes import Envelope
from journalist_interface.desk.rows.forwards import Forwarded
from journalist_interface.desk.services import Desk


class NotForwardable(Exception):
    """This cannot be passed on. The message says why."""


@dataclass(frozen=True)
class Resealed:
    """An envelope made, and whom it is for."""

    to: Unit
    made: Forwarded


@dataclass(frozen=True)
class Resealing:
    """What every new envelope needs. `receivers`: the next holder first; `used`: reply slots that may be taken."""

    desk: Desk
    unit: Unit
    receivers: tuple[Unit, ...]
    why: Why
    key: Ed25519PrivateKey
    first: Report
    registry: Registry
    links: tuple[str, ...]  # at which this unit has it
    kept_from: str  # what all of its messages say of that, as one report can
    involved: bool
    used: frozenset[int]

    def as_it_came(self, message: Envelope) -> list[Resealed]:
        """A message with its files, an envelope for each receiver. Raises CannotOpen, WrongFile, SealingFailed."""
        tail, opened, _ = open_envelope(self.desk, message.id, message.size)
        step = self._step((tail.sha256.hexdigest(),), opened.report, rewritten=False)
        report = replace(opened.report, trail=(*self._proven(opened.report), step))
        source = self.desk.files.envelope(message.id)
        try:
            with Pulled(lambda take: open_sealed(self.desk, source, take, message.size)) as stream:
                passing = Passing(tail, opened.files, stream)

                def whole() -> Report:
                    passing.check()
                    return report

                return self._sealed(archive.write(passing.parts(), whole), message.id)
        except NotAnEnvelope as error:
            raise CannotOpen(failure_reasons.NOT_A_REPORT) from error

    def rewritten(self, messages: Sequence[Envelope], words: str) -> list[Resealed]:
        """Other words in place of all of a conversation's messages, an envelope for each receiver."""
        digests = []
        for message in messages:
            tail, _, _ = open_envelope(self.desk, message.id, message.size)
            digests.append(tail.sha256.hexdigest())
        step = self._step(tuple(digests), self.first, rewritten=True)
        report = Report(
            text=words,
            unit=self.unit.id,
            day=today(),
            first=True,
            conversation=self.first.conversation,
            link=self.first.link,
            sequence=self.first.sequence,
            trail=(*self._proven(self.first), step),
            kept_from=self.kept_from,
            involved=self.involved,
        )
        no_files: list[FilePart] = []
        return self._sealed(archive.write(no_files, lambda: report), messages[0].id)

    def _proven(self, report: Report) -> tuple[bytes, ...]:
        """The steps of its trail that hold: what nobody signed bars nothing, and goes no further."""
        identity = self.first.conversation.identity
        return tuple(step for step in report.trail if trail.holds(step, identity, self.registry))

    def _step(self, originals: tuple[str, ...], report: Report, *, rewritten: bool) -> bytes:
        if len(self._proven(report)) >= MOST_HANDOVERS:
            raise NotForwardable("It was passed on too often already.")
        step = Step(
            by=self.unit.id,
            to=self.receivers[0].id,
            day=today(),
            why=self.why,
            rewritten=rewritten,
            conversation=self.first.conversation.identity,
            links=tuple(next_link(link, self.unit.id, self.receivers[0].id) for link in self.links),
            originals=originals,
            used=tuple(sorted(self.used)),
        )
        return trail.sign(step, self.key)

    def _sealed(self, pieces: Iterator[bytes], original: str) -> list[Resealed]:
        files, tokens = self.desk.files, [secrets.token_hex(16) for _ in self.receivers]
        parts = [files.forwarded(token).with_name(f"{token}.part") for token in tokens]
        certificates = [one.certificate.encode("ascii") for one in self.receivers]
        copies = [([certificate], part) for certificate, part in zip(certificates, parts, strict=True)]
        self.desk.sealer.seal_each(Pieces(pieces), copies)
        items = [bundle_item.describe(part) for part in parts]
        names = [forwarded_id(item.sha256) for item in items]
        files.put_forwarded(list(zip(parts, names, strict=True)))
        return [
            Resealed(receiver, Forwarded(name, original, item.size, item.sha256))
            for name, receiver, item in zip(names, self.receivers, items, strict=True)
        ]
