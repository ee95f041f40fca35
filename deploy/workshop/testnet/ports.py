"""Ports of 127.0.0.1 that stay ours: found free, and held for as long as the network lasts.

A socket that is bound and does not listen keeps its port from every other program, and lets a second socket
of the same user listen there when both set SO_REUSEADDR, as tor does (socket(7)). So nothing can slip in
between the choice of a port and the start of the tor that listens on it.
"""

import socket
from contextlib import ExitStack

from deploy.run.servers import LOOPBACK


def hold_port(stack: ExitStack) -> int:
    """A free port, held until `stack` is closed."""
    held = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((LOOPBACK, 0))
    port: int = held.getsockname()[1]
    return port
