"""Words in an answer that may task its reader: ask them to find out, record, go back, stay close or keep reporting.

Whoever is tasked may become a covert source in law (Regulation of Investigatory Powers Act 2000, section 26(8)), and
may be harmed. A hint is a question to whoever wrote it and to whoever releases it. No list knows every way to ask: so a
second person releases every answer, whatever is found here.
"""

import re

_DO = (
    r"(find|look|check|see (if|whether|what|who)|ask|speak|talk|meet|take|photograph|film|record|copy|print|save"
    r"|download|bring|get|obtain|keep|watch|follow|listen|go|return|stay|remain|try|note|write down|send|let us know)"
)
_TASKS = (
    rf"\b(can|could|would|will|might) you (please |perhaps |possibly |also |then )?{_DO}\b",
    rf"\bplease (also |then )?{_DO}\b",
    r"\b(want|need|like|ask) you to \w+",
    r"\bfind out\b",
    r"\b(take|get|make|send|obtain)( \w+){0,2} (photo|picture|cop(y|ies)|screenshot|recording|document|file)\w*",
    r"\bkeep (an eye|watch\w*|listening|reporting|us \w+|a (note|record|diary|log)|looking|going|in touch)\b",
    r"\blet us know (if|when|what|who|where|as soon)\b",
    r"\b(stay|remain|get|keep) (close|near|friendly|on the team|in contact)\b",
    r"\bgo (back|there|in|along|with)\b",
    r"\bnext time\b",
    r"\b(from now on|in future|whenever|as soon as) (you|he|she|they|it)\b",
)
_PATTERN = re.compile("|".join(f"(?:{task})" for task in _TASKS), re.IGNORECASE)


def phrases_in(text: str) -> tuple[str, ...]:
    """Each phrase once, as it was typed, in order."""
    found = (match.group(0) for match in _PATTERN.finditer(re.sub(r"\s+", " ", text)))
    return tuple(dict.fromkeys(found))
