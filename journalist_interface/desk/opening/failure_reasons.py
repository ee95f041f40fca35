"""Why an envelope could not be opened: a code in the database, a plain sentence on the page."""

from common.gpg.opening import OpeningFailed, Unopened

NOT_SEALED, NO_KEY, DAMAGED, MISSING, SYMMETRIC, MANY_KEYS, NESTED, STUCK = (
    Unopened.NOT_SEALED.value,
    Unopened.NO_KEY.value,
    Unopened.DAMAGED.value,
    Unopened.MISSING.value,
    Unopened.SYMMETRIC.value,
    Unopened.MANY_KEYS.value,
    Unopened.NESTED.value,
    Unopened.STUCK.value,
)
NOT_A_REPORT = "not-a-report"
DESTROYED = "destroyed"
FAILED = "failed"

SENTENCES = {
    NOT_SEALED: "it is not a sealed message",
    NO_KEY: "no key that is here opens it: it is sealed to another, or the key’s card or passphrase is missing",
    DAMAGED: "it is damaged, was cut short, or holds more than its size allows",
    NOT_A_REPORT: "what was sealed is not a report that Candour wrote",
    DESTROYED: "its month’s key was destroyed at this desk, so that nothing opens it any more",
    MISSING: "its sealed file is gone from this desk's disk",
    SYMMETRIC: "it is sealed with a passphrase, which no report is",
    MANY_KEYS: "it is sealed to more keys than any report is, and trying them all would take too long",
    NESTED: "another sealed message, or something else that no report has, is within it",
    STUCK: "opening it came to no end and was stopped; it can be tried again",
    FAILED: "the desk failed while it was being opened; it can be tried again",
}


def code_of(error: OpeningFailed) -> str:
    """The code of what gpg said."""
    return error.reason.value
