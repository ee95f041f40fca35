"""How slow a connection may be before it is cut off, and what is raised in the thread that waited for it.

`deploy/server/paced_socket.py` sees to it, for every request and answer. The applications only say what happened.
"""

import errno

LEAST_BYTES_A_SECOND = 256  # while the server waits for the other side, in either direction
OVER_SECONDS = 60.0


class _CutOff(TimeoutError):
    """Looks like a connection that was reset: nobody is at fault, so nothing is logged."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, self.__doc__)


class TooSlow(_CutOff):
    """The other side was slower than the least pace, or its head did not come in time."""


class Crowded(_CutOff):
    """Threads were few, and this was among the slowest of those that held most."""
