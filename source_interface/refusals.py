"""Why something was not taken, in words that tell the reporter what to do. One place, so that they agree."""

from dataclasses import dataclass

from common.config import Limits
from common.report import contact
from common.transport import pace


@dataclass(frozen=True)
class Reason:
    """What is said (`{…}` from the limits), and the status it goes out with."""

    says: str
    status: int


_REASONS = {
    "broken": Reason(
        "The form did not arrive whole, or was not one of ours. Go back to the page and send it again.", 400
    ),
    "cut": Reason("The connection broke before everything had arrived. Send it again.", 400),
    "too slow": Reason(
        "Less than {least_bytes_a_second} bytes a second arrived for a minute, so the upload was cut off. "
        "Send it again over another circuit, or with fewer files.",
        408,
    ),
    "stale": Reason(
        "This page is from an earlier visit. Copy your words, then start again from the first page.", 403
    ),
    "elsewhere": Reason("This form was sent from another site. Use the page here instead.", 403),
    "no text": Reason("Write a few words, even if the files say most of it.", 422),
    "text too long": Reason(
        "The text is too long: at most {max_text_chars:,} characters fit. Shorten it, or add it as a file.",
        413,
    ),
    "text cut": Reason(
        "The text is far too long: at most {max_text_chars:,} characters fit. Only its beginning is below; "
        "your browser may still have all of it, one page back. Shorten it, or add it as a file.",
        413,
    ),
    "contact too long": Reason(
        "How to reach you is too long: at most {max_contact_chars} characters fit. Shorten it.", 413
    ),
    "contact cut": Reason(
        "How to reach you is far too long: at most {max_contact_chars} characters fit. Only its beginning is below; "
        "your browser may still have all of it, one page back. Shorten it.",
        413,
    ),
    "contact closed": Reason(
        "How to reach you cannot be taken in confidence at present, so nothing was sent. Keep what you typed there "
        "elsewhere, empty the field, and send the rest.",
        409,
    ),
    "too many files": Reason(
        "Too many files: at most {max_files} fit. Send the others in a second message.", 413
    ),
    "file too large": Reason(
        "A file is too large: at most {max_file_size} fits. Leave it out, or divide it.", 413
    ),
    "report too large": Reason(
        "The files are too large together: at most {max_report_size} fits. Send some in a second message.",
        413,
    ),
    "no room": Reason(
        "There is no room for so much at the moment. Send the text alone, or come back tomorrow.", 503
    ),
    "recipient": Reason(
        "The unit cannot receive anything just now, so nothing was sent. Come back tomorrow.", 503
    ),
    "not kept": Reason("Something broke here, so nothing was kept. Try again in a few minutes.", 503),
    "busy": Reason(
        "Many people are here at this moment. Wait a minute, then try again. Nothing is lost.", 503
    ),
    "too often": Reason(
        "Much has come from your connection in a short time. Wait a minute, then try again. Nothing is lost.",
        429,
    ),
    "full": Reason(
        "This codename has been used for as many messages as it can take. Report it as another matter.", 409
    ),
    "other addressees": Reason(
        "Who gets what you write has changed since this page was made, so nothing was sent. "
        "See who it is now. Then send it, or leave it.",
        409,
    ),
    "unrouted": Reason(
        "Nobody is chosen who could open this at present, so nothing was sent. Choose who should.",
        409,
    ),
}


class Refused(Exception):
    """Not taken, for one of the reasons above. `field` is the part of the form it is about, if any."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.code = reason
        self.reason = _REASONS[reason]
        self.field = field

    def sentence(self, limits: Limits) -> str:
        """What the reporter is told."""
        return self.reason.says.format(
            max_text_chars=limits.max_text_chars,
            max_contact_chars=contact.LONGEST,
            max_files=limits.max_files,
            least_bytes_a_second=pace.LEAST_BYTES_A_SECOND,
            max_file_size=size_in_words(limits.max_file_bytes),
            max_report_size=size_in_words(limits.max_report_bytes),
        )


def time_in_words(seconds: int) -> str:
    """28800 -> `8 hours`: rounded down."""
    for unit, factor in (("hour", 3600), ("minute", 60)):
        if seconds >= factor:
            return f"{seconds // factor} {unit}{'s' if seconds >= 2 * factor else ''}"
    return "a minute"


def size_in_words(size: int) -> str:
    """4294967296 -> `4 GB`: rounded down, so that what is promised fits."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if size >= factor:
            return f"{size // factor} {unit}"
    return f"{size} bytes"
