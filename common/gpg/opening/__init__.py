"""Opening what was sealed, by whoever it was sealed: gpg decrypts, and reads nothing of what comes out.

gpg opens whatever it finds: a message within a message, to a thousand keys or under a passphrase. So it is given one
message whose outside was read here (`seal.py`), is told to take off that one layer (`--unwrap`), and hands out
packets that are read here (`content.py`). It runs under limits (`watchdog.py`).
"""

from common.gpg.opening.failure import OpeningFailed, Unopened
from common.gpg.opening.opener import Opener

__all__ = ["Opener", "OpeningFailed", "Unopened"]
