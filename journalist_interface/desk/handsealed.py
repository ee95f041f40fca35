"""What a reporter sealed by own hand to the unit's certificate, before the server could see it.

Found as an armoured message within a text, or as an attached file; opened into bounded memory, and shown.
"""

import io
import re
from dataclasses import dataclass, field

from common.opening import Opener, OpeningFailed
from common.report import Attachment, clean_text
from journalist_interface.desk import packets

MOST_FILE = 1024 * 1024  # bytes of an attached file that can be opened on a page
_MOST_TEXT = 4 * 1024 * 1024  # bytes that may come out: such messages are often compressed
_MOST_BLOCKS = 5
_BEGIN = "-----BEGIN PGP MESSAGE-----"
_BLOCK = re.compile(_BEGIN + r".*?(?:-----END PGP MESSAGE-----|\Z)", re.DOTALL)
_SUFFIXES = (".asc", ".gpg", ".pgp")


@dataclass(frozen=True)
class HandSealed:
    """What was within, or why it is not shown: a whole sentence."""

    text: str | None = field(repr=False)
    problem: str = ""


def find_sealed_texts(opener: Opener, text: str) -> tuple[HandSealed, ...]:
    """The armoured messages in a text, opened."""
    blocks = [match.group() for match, _ in zip(_BLOCK.finditer(text), range(_MOST_BLOCKS), strict=False)]
    return tuple(open_by_hand(opener, _tidy(block).encode()) for block in blocks)


def may_be_sealed(file: Attachment) -> bool:
    """True for a file that is worth trying to open: small, and sealed by its kind or its name."""
    return file.size <= MOST_FILE and ("pgp" in file.kind or file.name.lower().endswith(_SUFFIXES))


def open_by_hand(opener: Opener, untrusted: bytes) -> HandSealed:
    """What a sealed message holds, when that is text."""
    content = bytearray()
    try:
        sealed = packets.without_armour(untrusted)
        packets.check(sealed)
        opener.open(io.BytesIO(sealed), content.extend, most=_MOST_TEXT)
    except packets.NotOpenedHere as error:
        return HandSealed(None, f"It does not open. {error}")
    except OpeningFailed as error:
        return HandSealed(None, f"It does not open. {error}")
    try:
        return HandSealed(clean_text(content.decode("utf-8")))
    except UnicodeDecodeError:
        return HandSealed(None, "It opens, but what is within is not text. Save it, and open it with gpg.")


def _tidy(block: str) -> str:
    """An armoured message as gpg reads it, whatever blanks a form or a mail program put before its lines."""
    return "\n".join(line.strip() for line in block.splitlines()) + "\n"
