"""What a reporter sealed by own hand to the unit's certificate, before the server could see it.

Found as an armoured message within a text, or as an attached file. It is a sender's making, so it is opened only when
the reviewer asks for it, one at a time, asking nobody for anything; it goes into bounded memory, and is shown.
"""

import base64
import binascii
import io
import re
from dataclasses import dataclass, field

from common.gpg.opening import Opener, OpeningFailed, Unopened
from common.report.report import Attachment, clean_text

MOST_FILE = 1024 * 1024  # bytes of an attached file that can be opened on a page
MOST_TEXT = 4 * 1024 * 1024  # bytes that may come out: such messages are often compressed
_MOST_BLOCKS = 5
_BEGIN, _END = "-----BEGIN PGP MESSAGE-----", "-----END PGP MESSAGE-----"
_BLOCK = re.compile(rf"{_BEGIN}.*?(?:{_END}|\Z)", re.DOTALL)
_SUFFIXES = (".asc", ".gpg", ".pgp")
_ASK_AGAIN = " Ask the reporter to seal the words again, to your unit’s certificate alone."
_SENDERS_DOING = frozenset({Unopened.SYMMETRIC, Unopened.MANY_KEYS, Unopened.NESTED})


@dataclass(frozen=True)
class HandSealed:
    """What was within, or why it is not shown: a whole sentence."""

    text: str | None = field(repr=False)
    problem: str = ""


def find_sealed_texts(text: str) -> tuple[bytes, ...]:
    """The armoured messages in a text, as they stand there. None is opened."""
    found = zip(_BLOCK.finditer(text), range(_MOST_BLOCKS), strict=False)
    return tuple(match.group().encode() for match, _ in found)


def may_be_sealed(file: Attachment) -> bool:
    """True for a file that is worth trying to open: small, and sealed by its kind or its name."""
    return file.size <= MOST_FILE and ("pgp" in file.kind or file.name.lower().endswith(_SUFFIXES))


def open_by_hand(opener: Opener, untrusted: bytes) -> HandSealed:
    """What a sealed message holds, armoured or not, when that is text."""
    content = bytearray()
    try:
        opener.open(io.BytesIO(without_armour(untrusted)), content.extend, most=MOST_TEXT)
    except binascii.Error:
        return HandSealed(None, "It does not open. It is damaged, or was cut short. Ask for it again.")
    except OpeningFailed as error:
        what_to_do = _ASK_AGAIN if error.reason in _SENDERS_DOING else ""
        return HandSealed(None, f"It does not open. {error}{what_to_do}")
    try:
        return HandSealed(clean_text(content.decode("utf-8")))
    except UnicodeDecodeError:
        return HandSealed(None, "It opens, but what is within is not text.")


def without_armour(untrusted: bytes) -> bytes:
    """The packets of a message, armoured or not, whatever blanks stand before its lines. Raises binascii.Error."""
    _, begun, rest = untrusted.partition(_BEGIN.encode())
    if not begun:
        return untrusted
    lines = [line.strip() for line in rest.partition(_END.encode())[0].splitlines()]
    return base64.b64decode(b"".join(line for line in lines if b":" not in line and not _is_checksum(line)))


def _is_checksum(line: bytes) -> bool:
    return len(line) == len("=abcd") and line.startswith(b"=")
