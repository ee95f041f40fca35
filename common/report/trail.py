"""The custody trail inside a forwarded report: who passed it on, to whom, when, why, and what it was then.

Each step is signed by the reply key of the unit that took it, for one conversation. It names the SHA-256 of what that
unit had opened, so that the next can hold what it got against what the last one kept. Reasons are chosen from a list:
words of one's own would tempt to repeat the reporter's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, phrases, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.conversation.mailbox import SLOTS
from common.registry.registry import Registry, UnknownUnit
from common.signing import BadSignature

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Why(StrEnum):
    """Why a report was passed on."""

    OTHER_FORCE = "other-force"
    CONFLICT = "conflict"
    OVERSIGHT = "oversight"
    ROUTED = "routed"
    ASKED = "asked"


SENTENCES = {
    Why.OTHER_FORCE: "It concerns another force.",
    Why.CONFLICT: "It concerns people of the unit that had it, or close to them.",
    Why.OVERSIGHT: "The law gives it to an oversight body.",
    Why.ROUTED: "It came to the charity because no unit was reachable then.",
    Why.ASKED: "The reporter asked for it.",
}


@dataclass(frozen=True)
class Step:
    """One passing on. `by`, `to`: ids of units. `conversation`: 32 hex digits.

    `links`: 64 hex digits each, the link at which `to` has the conversation, or those that it may have. `originals`:
    SHA-256, in hex, of each archive that `by` had opened; of a rewritten report, all it was made from. `used`: reply
    slots that may be taken, so that the next holder does not try them.
    """

    by: str
    to: str
    day: date
    why: Why
    rewritten: bool
    conversation: str
    links: tuple[str, ...]
    originals: tuple[str, ...]
    used: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """The step in words, but for who took it."""
        how = "rewritten; the original stayed with them" if self.rewritten else "as it came"
        return f"Passed on to {self.to} on {phrases.day(self.day)}, {how}. {SENTENCES[self.why]}"


def sign(step: Step, key: Ed25519PrivateKey) -> bytes:
    """The step as it travels inside a report."""
    body = {
        "by": step.by,
        "to": step.to,
        "day": step.day.isoformat(),
        "why": step.why.value,
        "rewritten": step.rewritten,
        "conversation": step.conversation,
        "links": list(step.links),
        "originals": list(step.originals),
        "used": list(step.used),
    }
    return signing.sign(body, Context.CUSTODY, key)


def claimed(untrusted: bytes) -> Step:
    """What a step says, its signature not looked at. Raises NotCanonical."""
    return _step(signing.read_unverified(untrusted))


def holds(untrusted: bytes, conversation: str, registry: Registry) -> bool:
    """Whether a step is signed by the unit that it names, for this conversation."""
    try:
        step = claimed(untrusted)
        signing.verify(untrusted, Context.CUSTODY, registry.unit(step.by).reply_key)
    except (BadSignature, NotCanonical, UnknownUnit):
        return False
    return step.conversation == conversation


def proven(steps: Sequence[bytes], conversation: str, registry: Registry) -> tuple[Step, ...]:
    """The steps that hold, oldest first. What nobody signed bars nothing and proves nothing."""
    return tuple(claimed(step) for step in steps if holds(step, conversation, registry))


def used_slots(steps: Sequence[Step]) -> frozenset[int]:
    """All reply slots that earlier holders may have taken."""
    return frozenset(slot for step in steps for slot in step.used)


def _step(body: dict[str, Any]) -> Step:
    try:
        why = Why(canonical.text(body, "why"))
    except ValueError as error:
        raise NotCanonical("not a reason") from error
    originals, used = canonical.listed(body, "originals"), canonical.listed(body, "used")
    if not all(isinstance(one, str) and _SHA256.fullmatch(one) for one in originals):
        raise NotCanonical("not a list of SHA-256")
    if not all(type(slot) is int and 0 <= slot < SLOTS for slot in used):
        raise NotCanonical("not a list of slots")
    return Step(
        by=canonical.text(body, "by"),
        to=canonical.text(body, "to"),
        day=canonical.day(body, "day"),
        why=why,
        rewritten=canonical.truth(body, "rewritten"),
        conversation=canonical.text(body, "conversation"),
        links=tuple(map(str, canonical.listed(body, "links"))),
        originals=tuple(originals),
        used=tuple(used),
    )
