"""Answers on pages of one size: as many as fit, the rest on further pages. Nobody who writes one decides how large."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from common.conversation.page_bytes import render_text, rendered_bytes, split_text
from source_interface.conversation.answers import Answer

FIRST_PAGE_BYTES = 12 * 1024 + 512  # of answers, beside all else that the first page of a conversation has
PAGE_BYTES = 20 * 1024  # of answers, on a page that has nothing else
_FRAME_BYTES = 640  # heading, day and button of one answer, without its writer's name
_SMALLEST_PIECE = 512  # less of an answer than this does not begin on a page


@dataclass(frozen=True)
class Piece:
    """As much of an answer as one page shows. `goes_on`: from the page before; `is_cut`: it goes on on the next one."""

    answer: Answer = field(repr=False)
    words: Markup = field(repr=False)
    goes_on: bool
    is_cut: bool


def paginate(answers: Sequence[Answer]) -> list[list[Piece]]:
    """The pages, in order; the first one is there even where there is no answer."""
    pages: list[list[Piece]] = [[]]
    room = FIRST_PAGE_BYTES
    for answer in answers:
        frame = _FRAME_BYTES + rendered_bytes(answer.holder)
        whole = frame + rendered_bytes(answer.text)
        if pages[-1] and whole > room:  # begun on a page of its own, where it fits on one
            pages.append([])
            room = PAGE_BYTES
        texts = split_text(answer.text, max(room - frame, _SMALLEST_PIECE), PAGE_BYTES - frame)
        for number, text in enumerate(texts):
            if number:
                pages.append([])
                room = PAGE_BYTES
            words = Markup(render_text(text))  # noqa: S704  escaped there
            pages[-1].append(Piece(answer, words, number > 0, number < len(texts) - 1))
            room -= frame + rendered_bytes(text)
    return pages
