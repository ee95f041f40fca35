"""Why an envelope could not be opened: a code in the database, a plain sentence on the page."""

from common.opening import OpeningFailed, Unopened

NOT_SEALED, NO_KEY, DAMAGED, MISSING = (
    Unopened.NOT_SEALED.value,
    Unopened.NO_KEY.value,
    Unopened.DAMAGED.value,
    Unopened.MISSING.value,
)
NOT_A_REPORT = "not-a-report"
DESTROYED = "destroyed"

SENTENCES = {
    NOT_SEALED: "it is not a sealed message",
    NO_KEY: "no key that is here opens it: it is sealed to another, or the key’s card or passphrase is missing",
    DAMAGED: "it is damaged, was cut short, or holds more than its size allows",
    NOT_A_REPORT: "what was sealed is not a report that Candour wrote",
    DESTROYED: "its month’s key was destroyed at this desk, so that nothing opens it any more",
    MISSING: "its sealed file is gone from this desk's disk",
}


def code_of(error: OpeningFailed) -> str:
    """The code of what gpg said."""
    return error.reason.value
