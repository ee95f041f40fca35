"""The line by which tor tells of a circuit, and the name that the circuit has in here.

With `HiddenServiceExportCircuitID haproxy` tor begins each connection with a PROXY line (version 1, HAProxy's
proxy-protocol.txt, 2.1) whose source address holds the number of the rendezvous circuit: tor(1), tor's
`export_hs_client_circuit_id`. All streams of one visitor come over one circuit, so what wants too much can be told from
the others, without any address.

Promises: the number goes no further than this module. The application gets 16 bytes of HMAC-SHA256 under a key that is
drawn when the server starts and never leaves its memory; so a name means nothing in another run, or beside tor's log.
"""

import hashlib
import hmac
import re
import secrets
import socket

_KEY = secrets.token_bytes(32)  # drawn in the master, which imports this before it forks: one for all workers
_NAME_BYTES = 16
_LONGEST = 107  # bytes, of a PROXY line with its end
_LINE = re.compile(
    rb"PROXY TCP6 fc00:dead:beef:4dad::([0-9a-f]{1,4}):([0-9a-f]{1,4}) ::1 [0-9]{1,5} [0-9]{1,5}\r\n"
)


class NoCircuit(Exception):
    """The connection does not begin with tor's line. Set HiddenServiceExportCircuitID in the torrc."""


class Greeting:
    """Reads the line from a connection that does not block, and not one byte of what comes after it."""

    def __init__(self) -> None:
        self._untrusted = b""

    def read(self, connection: socket.socket) -> str | None:
        """The circuit's name; None while the line is not whole. Raises NoCircuit, OSError."""
        try:
            seen = connection.recv(_LONGEST - len(self._untrusted), socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return None
        if not seen:
            raise NoCircuit
        end = seen.find(b"\n") + 1
        self._untrusted += connection.recv(end or len(seen))
        if end:
            return name(self._untrusted)
        if len(self._untrusted) == _LONGEST:
            raise NoCircuit
        return None


def name(untrusted_line: bytes) -> str:
    """The circuit's name, 32 hex digits: the same for each connection of a circuit. Raises NoCircuit."""
    line = _LINE.fullmatch(untrusted_line)
    if line is None:
        raise NoCircuit
    number = (int(line[1], 16) << 16 | int(line[2], 16)).to_bytes(4)
    return hmac.digest(_KEY, number, hashlib.sha256)[:_NAME_BYTES].hex()
