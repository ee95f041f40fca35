"""The ids of envelopes: random for what a reporter sent, and following from the content for what was passed on.

They name an envelope in the store, in the listing, on the stick and at the desk. They say nothing of what is inside.
"""

import re
import secrets

_ID = re.compile(r"[0-9a-f]{32}")
FORWARDED_PREFIX = "ffff"


def is_envelope_id(untrusted: str) -> bool:
    """True for 32 hex digits: what may be a file's name."""
    return _ID.fullmatch(untrusted) is not None


def is_forwarded_id(untrusted: str) -> bool:
    """True for the id of an envelope that one unit passed on to another: no reporter's has this form.

    So whoever gets it can tell, whatever is inside, that no reporter sent it.
    """
    return is_envelope_id(untrusted) and untrusted.startswith(FORWARDED_PREFIX)


def forwarded_id(sha256: str) -> str:
    """The id of an envelope that is passed on: it follows from the SHA-256 (64 hex digits) of its content."""
    return FORWARDED_PREFIX + sha256[: 32 - len(FORWARDED_PREFIX)]


def new_id(*, forwarded: bool = False) -> str:
    """A random id for an envelope: 32 hex digits."""
    if forwarded:
        return FORWARDED_PREFIX + secrets.token_hex(16)[len(FORWARDED_PREFIX) :]
    while is_forwarded_id(drawn := secrets.token_hex(16)):
        pass
    return drawn
