"""What stands beside the source interface over Tor: it reads a request to its end, and answers at once.

Runs in a process of its own, so that it does not share a bench's interpreter: `python -m deploy.workshop.bench.trivial
SOCKET`.
"""

import socketserver
import sys

ANSWER_BYTES = 24 * 1024  # as much as a page of the source interface
_BLOCK = 1 << 20
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
_ANSWER = _HEAD % ANSWER_BYTES + bytes(ANSWER_BYTES)


class Trivial(socketserver.StreamRequestHandler):
    """Any number of requests on a connection."""

    def handle(self) -> None:
        """Serve a connection to its end."""
        while line := self.rfile.readline(1 << 16):
            left = 0
            while line.strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    left = int(value)
                line = self.rfile.readline(1 << 16)
            while left > 0 and (chunk := self.rfile.read1(min(left, _BLOCK))):
                left -= len(chunk)
            self.wfile.write(_ANSWER)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


if __name__ == "__main__":
    with _Server(sys.argv[1], Trivial) as server:
        print("ready", flush=True)
        server.serve_forever()
