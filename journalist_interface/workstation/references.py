"""Short names for people to say and write down. What is short can be shared by two: rows are found by the whole."""


def conversation_reference(identity: str) -> str:
    """Such as `C-3f2a91bc`."""
    return f"C-{identity[:8]}"


def message_reference(envelope_id: str) -> str:
    """Such as `M-91bc3f2a`."""
    return f"M-{envelope_id[:8]}"
