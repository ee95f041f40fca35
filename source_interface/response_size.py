"""Responses of few sizes: who watches the traffic reads neither which page it is nor whether there is an answer.

What is made even is the whole response, head and body: `Content-Length`, the cookie and the status line are counted
in, so that none of them shows. The filling is white space after `</html>`, which every browser passes over. Nothing
is ever compressed; that would undo it.

Not made even, because nothing of a reporter shows in them: the style sheet, the certificates as files, responses to
HEAD, and what gunicorn itself says of a request that is none.
"""

from flask import Response

from common.report.padding import PAGE_BYTES, REDIRECT_BYTES, page_size

_FILLING = b" "
_LINE_END = len("\r\n")


def pad(response: Response) -> Response:
    """Fill up a page or a redirect. The last thing done to a response: no header may change after it."""
    if response.mimetype != "text/html":
        return response
    body = response.get_data()
    response.headers.pop("Content-Length", None)
    head = _head_bytes(response)
    smallest = REDIRECT_BYTES if 300 <= response.status_code < 400 else PAGE_BYTES
    whole = page_size(head + _length_bytes(len(body)) + len(body), smallest)
    response.set_data(body.ljust(whole - head - _length_bytes(whole), _FILLING))
    return response


def _head_bytes(response: Response) -> int:
    """Bytes of the head as it goes out (RFC 9112, section 2.1), without the length of the body.

    Without what gunicorn adds, too: that is as long for one page as for another.
    """
    lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in response.headers.items())]
    return sum(len(line) + _LINE_END for line in lines) + _LINE_END


def _length_bytes(length: int) -> int:
    """A body has as many digits in its length as the whole response: sizes are far above a power of ten."""
    return len(f"Content-Length: {length}") + _LINE_END
