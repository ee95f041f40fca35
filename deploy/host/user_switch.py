"""Root at work in another user's folder, as that user: so that what they have put there cannot lead root elsewhere.

deploy/install needs it, so it needs no packages.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def acting_as(uid: int, gid: int) -> Iterator[None]:
    """Root acts as this user; anybody else as they are. Threads of the process are not told apart."""
    try:
        if os.geteuid() == 0 and uid != 0:
            os.setegid(gid)
            os.seteuid(uid)
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
            os.setegid(os.getgid())
