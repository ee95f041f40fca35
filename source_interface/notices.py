"""What is said once after an action, by the code that the session carries."""

NOTICES = {
    "": None,
    "sent": "Your message has arrived and is safe.",
    "sent before": (
        "This form had arrived already, so nothing was sent a second time. "
        "Your words are below: if you have changed them, send them again; if not, leave them."
    ),
    "withdrawn": (
        "The message is withdrawn, and deleted here. "
        "If the unit had fetched it and not yet said so, it may still read it."
    ),
    "withdrawn in part": (
        "One copy of the message is withdrawn, and deleted here. The other was collected, and cannot be called back."
    ),
    "too late": "The message can no longer be withdrawn: it has been collected.",
    "changed": "Who can receive reports has changed since. Look again, then go on.",
    "deleted": "The answer is deleted.",
}
