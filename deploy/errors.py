"""What this room's errors have in common."""


class DeployError(Exception):
    """Shown to the person as it is, with no traceback. The message says why and what to do."""
