"""What is no codename is refused quickly, with a sentence that shows nothing of what was typed."""

import time
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.conversation.codename import LONGEST_TYPED, NotACodename, generate, read


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "\0",
        "7 7 7 7 7 7 7",
        "\u202e\u200f\u2066",
        "\U0001f47b \U0001f47b \U0001f47b",
        "one",
        "abacus " * 6,
        "abacus " * 8,
        "abacus\0" * 7,
        "слово " * 7,
        "言葉" * 7,
        "\u0301" * 20,
        "\ufdfa" * LONGEST_TYPED,
        "a" * (LONGEST_TYPED + 1),
        "abacus " * 1_500_000,
        "\ud800 " * 7,
    ],
    ids=range(17),
)
def test_what_is_no_codename_is_refused_with_a_sentence(typed):
    with pytest.raises(NotACodename) as refusal:
        read(typed)
    assert str(refusal.value).endswith(".")
    assert len(str(refusal.value)) < 200


@given(typed=st.text(max_size=LONGEST_TYPED + 10))
def test_no_text_whatever_does_more_than_be_refused(typed):
    try:
        read(typed)
    except NotACodename as refusal:
        assert str(refusal).endswith(".")  # noqa: PT017


@given(
    words=st.lists(
        st.text(ascii_lowercase, min_size=10, max_size=30).map(lambda w: "zq" + w), min_size=1, max_size=9
    )
)
def test_a_refusal_holds_nothing_of_what_was_typed(words):
    with pytest.raises(NotACodename) as refusal:
        read(" ".join(words))
    shown = repr(refusal.value) + str(refusal.value) + repr(refusal.value.__cause__)
    assert not any(word in shown for word in words)


def test_an_unknown_word_is_named_by_its_position():
    words = list(generate().words)
    words[1] = "zzzzzzzzz"
    words[4] = words[6] = "qqqqqqqqq"
    with pytest.raises(NotACodename, match="Words 2, 5 and 7 are not on the list") as refusal:
        read(" ".join(words))
    assert refusal.value.positions == (2, 5, 7)


@pytest.mark.parametrize("token", ["xable", "aaa", "ab", "e", "stong", "z" * 50], ids=len)
def test_hostile_words_cost_a_bounded_time(token):
    read_all = " ".join([token] * 7)
    with pytest.raises(NotACodename):
        read(read_all)  # the list is loaded
    start = time.process_time()
    with pytest.raises(NotACodename):
        read(read_all)
    assert time.process_time() - start < 0.5
