"""What an answer costs on a page is counted exactly, and it is cut without losing a letter."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from common.conversation.page_bytes import render_text, rendered_bytes, split_text

TEXTS = st.text(st.sampled_from("ab &<>\"'\n\t;é😀"), max_size=200)


class Words(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.words = ""

    def handle_data(self, data):
        self.words += data


@given(TEXTS)
def test_what_is_rendered_shows_the_same_text_and_costs_what_is_counted(text):
    page = Words()
    page.feed(render_text(text))
    page.close()
    assert page.words == text
    assert rendered_bytes(text) == len(render_text(text).encode())


@given(text=TEXTS, first=st.integers(0, 60), most=st.integers(8, 60))
def test_pieces_are_the_whole_text_and_none_is_larger_than_its_room(text, first, most):
    pieces = split_text(text, first, most)
    assert "".join(pieces) == text
    for piece, room in zip(pieces, [first] + [most] * len(pieces), strict=False):
        assert rendered_bytes(piece) <= room


def test_it_is_cut_between_words_where_there_are_any():
    assert split_text("one two three", 100, 100) == ["one two three"]
    assert split_text("one two three", 9, 9) == ["one two ", "three"]
    assert split_text("onetwothree", 4, 4) == ["onet", "woth", "ree"]
    assert split_text("", 5, 5) == [""]
