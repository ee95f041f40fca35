"""Copies for oversight: what goes to a unit with a second seal comes to this desk as well, when it is that seal.

A copy is read here, and no more: the reporter is shown answers of whoever holds the conversation, and of nobody else.
What its holder makes of it is not known here, nor does the holder learn what is done with the copy.

What came straight from the source interface says whom it is for, and nobody but that could write it; so that alone
decides. Of what a unit passed on the trail is that unit's word: it is shown, and keeps nobody from answering. Else a
unit that hands a conversation over could hide it from whoever gets it.
"""

from common.envelope_id import is_forwarded_id
from common.registry.registry import Registry, UnknownUnit
from common.report import trail
from common.report.report import Report
from journalist_interface.desk.rows.conversations import Conversation


class CopyOnly(Exception):
    """This is a copy, for oversight. Whoever holds the conversation answers in it, and passes it on."""


def check_ours(conversation: Conversation | None) -> None:
    """Raises CopyOnly for one of which all that is here is a copy."""
    if conversation is not None and not conversation.ours:
        raise CopyOnly(str(CopyOnly.__doc__))


def is_ours(envelope_id: str, report: Report, unit_id: str) -> bool:
    """False for what is surely a copy: it came from the source interface, sealed for another unit as well."""
    return is_forwarded_id(envelope_id) or report.unit == unit_id


def addressee(report: Report) -> str:
    """The unit that a message is for, by its own word."""
    return trail.claimed(report.trail[-1]).to if report.trail else report.unit


def is_second_seal(unit_id: str, of: str, registry: Registry | None) -> bool:
    """Whether a unit gets a copy of what goes to another, by the registry."""
    try:
        return registry is not None and registry.unit(of).second_seal == unit_id
    except UnknownUnit:
        return False
