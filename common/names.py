"""Names that may stand in a registry: short ones for machines and file names, and lines that people read."""

import re

LONGEST_ID = 64  # characters of a short name: a unit's has to fit into a reporter's cookie
_SHORT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


def is_short_name(untrusted: str) -> bool:
    """True for up to 64 small letters, digits and hyphens, such as `west-mercia`."""
    return _SHORT_NAME.fullmatch(untrusted) is not None


def is_one_line(untrusted: str) -> bool:
    """True for text that is shown as it is: no control or invisible characters, no space around it."""
    return bool(untrusted) and untrusted == untrusted.strip() and untrusted.isprintable()
