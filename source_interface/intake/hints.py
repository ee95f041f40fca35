"""Phrases that may give their writer away, looked for before anything is sent.

The text is looked at in memory, once, and nothing is kept of what was found. A hint is a question, not a barrier.
Every repetition below has an upper bound, so that no text, however made, takes more than linear time.
"""

import re

PAUSE_UP_TO = 32 * 1024 * 1024  # bytes of a form; to upload more a second time would be worse than no hint
_LOOKED_AT = 200_000  # characters

_MONTH = "(january|february|march|april|may|june|july|august|september|october|november|december)"
_PLACED = (
    "(sergeant|sarge|inspector|superintendent|skipper|guv|boss|dci|ds|di|dc|line manager|team|shift|partner"
    "|crew ?mate|colleague|station|husband|wife|ex)"
)
_JOB = "(officer|constable|sergeant|inspector|detective|pcso|special|dispatcher|call handler|analyst|custody|staff)"

_HINTS = {
    r"\b(only|just) (two|three|four|five|[2-5]|a few|the \w{1,9}) (of us|people|officers)\b": (
        "You say how few people knew. The unit, or who is accused, may work out who wrote this."
    ),
    rf"\bmy {_PLACED}\b": (
        "“My …” says how you are placed. “A sergeant” or “someone on the team” says less about you."
    ),
    r"\b(pc|ps|dc|ds|collar|shoulder|warrant|badge|staff|payroll) ?(no\.?|number)? ?[:#]? ?[a-z]{0,3}\d{2}": (
        "There is a number that may belong to one person. If it is yours, leave it out."
    ),
    rf"\b(i am|i'm|i’m|i work as|i serve as|as) an? (\w{{1,20}} ){{0,3}}{_JOB}\b": (
        "You say what you do. The unit may need less than that."
    ),
    rf"\b\d{{1,2}}(st|nd|rd|th)? (of )?{_MONTH}\b"
    r"|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b|\b\d{1,2}[:.]\d{2} ?(am|pm|hrs|hours)?\b": (
        "There is an exact day or time. If few people were there, “in the spring” or “one evening” is safer."
    ),
    r"[“\"][^”\"\n]{25,160}[”\"]": (
        "There is a long quotation. Exact words can show who was in the room; retelling is safer."
    ),
    r"[\w.+-]{1,64}@[\w-]{1,63}\.\w|(?<!\w)(\+44|0) ?\d{3,4}[ \d]{6,8}\b": (
        "There is an address or a telephone number. If it is yours, leave it out."
    ),
}
_PATTERNS = [(re.compile(pattern, re.IGNORECASE), hint) for pattern, hint in _HINTS.items()]


def hints_for(text: str) -> list[str]:
    """What may point to the writer, in the order above; empty for a text sealed by hand."""
    if "-----BEGIN PGP MESSAGE-----" in text:
        return []
    plain = re.sub(r"\s+", " ", text[:_LOOKED_AT])
    return [hint for pattern, hint in _PATTERNS if pattern.search(plain)]
