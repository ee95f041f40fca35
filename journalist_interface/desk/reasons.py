"""Why an envelope could not be opened: a code in the database, a plain sentence on the page."""

from common.sealing import OpeningFailed

NOT_SEALED, NO_KEY = "not-sealed", "no-key"
DAMAGED, NOT_A_REPORT, MISSING = "damaged", "not-a-report", "missing"

SENTENCES = {
    NOT_SEALED: "it is not a sealed message",
    NO_KEY: "no key that is here opens it: it is sealed to another, or the key’s card or passphrase is missing",
    DAMAGED: "it is damaged, was cut short, or holds more than its size allows",
    NOT_A_REPORT: "what was sealed is not a report that Candour wrote",
    MISSING: "its sealed file is gone from this desk's disk",
}

_BY_WORDS = (
    ("not a sealed message", NOT_SEALED),
    ("not sealed to a key", NO_KEY),
    ("passphrase", NO_KEY),
)


def code_of(error: OpeningFailed) -> str:
    """The code of what gpg said."""
    words = str(error)
    if words.startswith("It is damaged"):
        return DAMAGED
    return next((code for part, code in _BY_WORDS if part in words), DAMAGED)
