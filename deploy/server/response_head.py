"""What gunicorn's worker sends, without what it would add of its own.

Promises: no response has a field that tells the server's program or version (`Server`), its clock (`Date`), or when a
file was put there (`Last-Modified`, `ETag`), whoever asks for it to be sent. RFC 9110 lets a server without a reliable
clock leave `Date` out (6.6.1), and any server the others (8.8, 10.2.4).
"""

from collections.abc import Iterable

from gunicorn.http import wsgi

_LITTLE = 64 * 1024  # bytes; the rest of a request that gunicorn hears before the next
TELLTALE = frozenset({"server", "date", "etag", "last-modified"})


class Answer(wsgi.Response):  # type: ignore[misc]  # gunicorn carries no types
    """gunicorn's response, with fewer fields. The last one where much of its request has yet to come."""

    def should_close(self) -> bool:
        """Whether the connection ends with it. If so, no thread waits until the other side has taken it."""
        if self.req.body.left > _LITTLE:
            self.force_close()
            self.sock.keeps = True
        return bool(super().should_close())

    def default_headers(self) -> list[str]:
        """The status line and the fields that are gunicorn's to give, each with its line end."""
        return [line for line in super().default_headers() if not _is_telltale(line.partition(":")[0])]

    def process_headers(self, headers: Iterable[tuple[str, str]]) -> None:
        """Take the application's fields."""
        super().process_headers((name, value) for name, value in headers if not _is_telltale(name))


def _is_telltale(name: str) -> bool:
    return name.lower() in TELLTALE


def install() -> None:
    """Have gunicorn use it in this process. It has no setting for that, and looks the class up by its name."""
    wsgi.Response = Answer


def closing(status: str, sentence: str) -> bytes:
    """A whole response that says one sentence and ends the connection."""
    body = f"{sentence}\n"
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode("ascii")
