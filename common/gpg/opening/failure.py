"""Why something did not open."""

from enum import StrEnum


class Unopened(StrEnum):
    """Why something did not open."""

    NOT_SEALED = "not-sealed"
    NO_KEY = "no-key"
    DAMAGED = "damaged"
    MISSING = "missing"
    SYMMETRIC = "symmetric"
    MANY_KEYS = "many-keys"
    NESTED = "nested"
    STUCK = "stuck"


MOST_KEYS = 8  # that a message may be sealed to: gpg tries each with every key it has

_SENTENCES = {
    Unopened.NOT_SEALED: "It is not a sealed message.",
    Unopened.NO_KEY: "It is not sealed to a key that is here, or the key is locked: its card or passphrase is missing.",
    Unopened.DAMAGED: "It is damaged, was cut short, or is not sealed to a key that is here.",
    Unopened.MISSING: "It is not there.",
    Unopened.SYMMETRIC: "It is sealed with a passphrase and not to a key that is here.",
    Unopened.MANY_KEYS: f"It is sealed to more than {MOST_KEYS} keys, and trying them all would take too long.",
    Unopened.NESTED: "Another sealed message is within it, or other things that no message of words or files has.",
    Unopened.STUCK: "gpg came to no end with it and was stopped. Nothing else was harmed.",
}


class OpeningFailed(Exception):
    """This did not open. `reason` says why."""

    def __init__(self, reason: Unopened) -> None:
        super().__init__(_SENTENCES[reason])
        self.reason = reason
