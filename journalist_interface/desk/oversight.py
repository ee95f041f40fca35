"""Copies for oversight: what goes to a unit with a second seal comes to this desk as well, when it is that seal.

A copy is read here, and no more: the reporter is shown answers of whoever holds the conversation, and of nobody else.
What its holder makes of it is not known here, nor does the holder learn what is done with the copy.
"""

from common import trail
from common.registry import Registry, UnknownUnit
from common.report import Report
from journalist_interface.desk.conversations import Conversation


class CopyOnly(Exception):
    """This is a copy, for oversight. Whoever holds the conversation answers in it, and passes it on."""


def check_ours(conversation: Conversation | None) -> None:
    """Raises CopyOnly for one of which all that is here is a copy."""
    if conversation is not None and not conversation.ours:
        raise CopyOnly(str(CopyOnly.__doc__))


def holder_of_copy(report: Report, registry: Registry | None, unit_id: str) -> str | None:
    """The name of who holds what `unit_id` has a copy of; None for what is for itself, or for a stranger."""
    addressee = _addressee(report)
    if registry is None or addressee == unit_id:
        return None
    try:
        holder = registry.unit(addressee)
    except UnknownUnit:
        return None
    return holder.name if holder.second_seal == unit_id else None


def _addressee(report: Report) -> str:
    return trail.claimed(report.trail[-1]).to if report.trail else report.unit
