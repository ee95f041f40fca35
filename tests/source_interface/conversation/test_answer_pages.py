"""However much a unit writes, and whatever, no page has more of it than its bytes, and none of it is missing."""

import html

import pytest

from common.conversation.header import Deleted
from source_interface.conversation.answer_pages import FIRST_PAGE_BYTES, PAGE_BYTES, paginate
from source_interface.conversation.answers import Answer


@pytest.mark.parametrize("letter", ["w", "'", "&", "<", "\n", "\u00e9"])
@pytest.mark.parametrize(("count", "length"), [(0, 0), (1, 10), (1, 7_000), (3, 3_543), (250, 2_000)])
def test_no_page_has_more_of_the_answers_than_fits_and_all_of_them_are_there(letter, count, length):
    text = letter * length + "."
    answers = [
        Answer(str(slot), (slot,), "today", "The unit", text, Deleted("unit", slot, "0" * 64))
        for slot in range(count)
    ]
    pages = paginate(answers)
    for number, pieces in enumerate(pages):
        room = PAGE_BYTES if number else FIRST_PAGE_BYTES
        assert sum(len(piece.words.encode()) for piece in pieces) <= room
    shown = "".join(piece.words for pieces in pages for piece in pieces)
    assert html.unescape(shown.replace("<br>", "")) == text * count
