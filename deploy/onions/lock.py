"""The key that keeps the collection onion locked while no courier is let in. deploy/install needs it, without packages.

Tor takes an empty authorized_clients/ for "everybody may". Any 32 bytes are a public key of X25519 (RFC 7748), so
random ones are a key whose private half nobody has ever had.
"""

import secrets

from common.transport.onion import KEY_BYTES, public_line

NOBODY = "nobody"  # as a courier is named, and none may be


def key_nobody_holds() -> str:
    """A line for authorized_clients/nobody.auth."""
    return public_line(secrets.token_bytes(KEY_BYTES))
