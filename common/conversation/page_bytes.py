"""What an answer costs on the reporter's page, in bytes: counted by the desk before it seals, and by the page.

Only what HTML needs is escaped, so that ordinary English costs what it is long: quotes stay as they are.
"""

from bisect import bisect_right

MOST_ANSWER_BYTES = 12 * 1024  # of one answer, rendered: the longest that fits on one page with all else
_COSTLY = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": "\n<br>"}
_RENDERED = str.maketrans(_COSTLY)


def render_text(text: str) -> str:
    """The text as HTML, for the inside of an element and never for an attribute. A line end shows without CSS, too."""
    return text.translate(_RENDERED)


def rendered_bytes(text: str) -> int:
    """How many bytes it takes on the page."""
    return len(text.encode()) + sum(
        text.count(letter) * (len(written) - 1) for letter, written in _COSTLY.items()
    )


def split_text(text: str, first: int, most: int) -> list[str]:
    """The text in pieces that take at most `first` and then `most` bytes each, cut between words where there are any.

    `first` may be too small for any of it: then the first piece is empty.
    """
    pieces, begin, room = [], 0, first
    while begin < len(text):
        end = _end_of_piece(text, begin, room)
        pieces.append(text[begin:end])
        begin, room = end, most
    return pieces or [""]


def _end_of_piece(text: str, begin: int, room: int) -> int:
    """Where a piece that begins at `begin` has to end. Takes as long as the piece is, however long the text."""
    window = text[begin : begin + room]  # a letter takes a byte at least
    fits = (
        bisect_right(range(len(window) + 1), room, key=lambda letters: rendered_bytes(window[:letters])) - 1
    )
    end = begin + fits
    if end == len(text) or text[end].isspace():
        return end
    blank = max(window.rfind(space, 0, fits) for space in " \n\t") + 1
    return begin + (blank or fits)
