"""What is said once after an action, by the code that the session carries."""

NOTICES = {
    "": None,
    "sent": "Your message has arrived and is safe.",
    "sent before": (
        "This form had arrived already, so nothing was sent a second time. "
        "Your words are below: if you have changed them, send them again; if not, leave them."
    ),
    "withdrawn": "The message is withdrawn, and deleted here. Nobody was able to fetch it.",
    "withdrawn later": (
        "The message is withdrawn. It is deleted here within hours. If it had been fetched, it may still be read."
    ),
    "withdrawn in part": (
        "One copy of the message is withdrawn. The unit that has the other said so, and it cannot be called back."
    ),
    "too late": "The message can no longer be withdrawn: the unit has said that it has it.",
    "changed": "Who can receive reports has changed since. Look again, then go on.",
    "deleted": "The answer is deleted.",
}
