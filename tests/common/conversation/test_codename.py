"""The codename: drawn, read with forgiveness, and never taken for another."""

import contextlib
import hashlib
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.conversation.codename import (
    CHECK_BITS,
    WORDS_IN_A_CODENAME,
    Codename,
    NotACodename,
    generate,
    read,
    word_list,
)

HYPHENATED = ("drop-down", "felt-tip", "t-shirt", "yo-yo")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def checks(words):
    return hashlib.sha256(" ".join(words).encode()).digest()[-1] == 0


def made(seed=0, word=None, place=0):
    """A codename, the same for the same seed; with `word` in a place of it."""
    drawn = random.Random(seed)  # noqa: S311  # the same draw every time
    while True:
        words = drawn.choices(word_list(), k=WORDS_IN_A_CODENAME)
        if word:
            words[place] = word
        if checks(words):
            return Codename(tuple(words))


codenames = st.integers(0, 50).map(made)


def slips(word):
    """Every single slip of a hand: a letter left out, added, changed, or two neighbours swapped."""
    for at in range(len(word) + 1):
        yield from (word[:at] + letter + word[at:] for letter in LETTERS)
        if at < len(word):
            yield word[:at] + word[at + 1 :]
            yield from (word[:at] + letter + word[at + 1 :] for letter in LETTERS)
        if at + 1 < len(word):
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def test_a_generated_codename_is_seven_listed_words_that_satisfy_the_check():
    for _ in range(20):
        words = generate().words
        assert len(words) == 7
        assert set(words) <= set(word_list())
        assert checks(words)


def test_two_codenames_differ():
    assert len({generate().text for _ in range(20)}) == 20


def test_the_list_is_the_effs_large_one():
    assert hashlib.sha256("\n".join(word_list()).encode()).hexdigest().startswith(LIST_SHA256)
    assert len(word_list()) == 7776
    assert all(3 <= len(word) <= 9 and re.fullmatch(r"[a-z]+(-[a-z]+)?", word) for word in word_list())


LIST_SHA256 = "abae49761b88f3f1ba31ef944bea1f61b795a3cd7e1cfb7d276ed45bf77967ba"


@given(
    codename=codenames,
    separators=st.lists(
        st.text(
            " \t\r\n-\u2013\u2014_.,;:!?/()[]'\"*1234567890·•\u00a0\u2003\u200b\u200f\u202e",
            min_size=1,
            max_size=4,
        ),
        min_size=8,
        max_size=8,
    ),
    upper=st.lists(st.booleans(), min_size=80, max_size=80),
)
def test_case_spacing_hyphens_and_punctuation_are_forgiven(codename, separators, upper):
    typed = separators[0] + "".join(
        word + gap for word, gap in zip(codename.words, separators[1:], strict=True)
    )
    shouted = "".join(
        char.upper() if up else char
        for char, up in zip(typed, (upper * (len(typed) // len(upper) + 1)), strict=False)
    )
    assert read(shouted).words == codename.words


@pytest.mark.parametrize("word", HYPHENATED)
@pytest.mark.parametrize("between", ["-", " ", "", "\u2013", " - ", "\u2011", "-\n"])
@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_hyphenated_word_may_be_typed_in_any_way(word, between, place):
    words = made(word=word, place=place).words
    typed = [*words[:place], word.replace("-", between).upper(), *words[place + 1 :]]
    assert read(" ".join(typed)).words == words


def test_yo_yo_and_yoyo_are_told_apart_by_the_check_or_refused():
    drawn = random.Random(4)  # noqa: S311  # the same draw every time
    while True:  # both are on the list, and here both satisfy the check
        rest = tuple(drawn.choices(word_list(), k=6))
        if checks(("yo-yo", *rest)) and checks(("yoyo", *rest)):
            break
    for typed in ("yo-yo", "yoyo", "yo yo"):
        with pytest.raises(NotACodename):
            read(" ".join((typed, *rest)))
    for word in ("yo-yo", "yoyo"):
        codename = made(seed=5, word=word)
        assert read(codename.text.replace("-", "")).words == codename.words


def test_wide_letters_are_read_as_plain_ones():
    codename = made()
    wide = "".join(chr(ord(char) + 0xFEE0) if char.isalpha() else char for char in codename.text)
    assert read(wide).words == codename.words


@given(codename=codenames, place=st.integers(0, 6), data=st.data())
def test_a_slip_in_a_word_is_put_right_or_refused_but_never_read_as_something_else(codename, place, data):
    word = codename.words[place].replace("-", "")
    slip = data.draw(st.sampled_from(sorted(set(slips(word)) - {word})))
    typed = [*codename.words[:place], slip, *codename.words[place + 1 :]]
    known = {listed.replace("-", "") for listed in word_list()}
    try:
        got = read(" ".join(typed))
    except NotACodename as refusal:
        assert refusal.positions == (() if slip in known or len(slip) == 0 else (place + 1,))  # noqa: PT017
        return
    assert checks(got.words)
    if slip in known:
        assert got.corrected == ()
    else:
        assert got.corrected == (place + 1,)
        assert (
            got.words[:place] + got.words[place + 1 :] == codename.words[:place] + codename.words[place + 1 :]
        )
        within_a_slip = set(slips(slip))  # a slip can always be undone by another
        near = [
            other
            for other in word_list()
            if other.replace("-", "") in within_a_slip
            and checks((*codename.words[:place], other, *codename.words[place + 1 :]))
        ]
        assert near == [got.words[place]]  # the only one within a slip that satisfies the check


def test_most_slips_are_put_right():
    drawn = random.Random(1)  # noqa: S311  # the same draw every time
    right = 0
    for seed in range(100):
        words = list(made(seed).words)
        place = drawn.randrange(7)
        known = {listed.replace("-", "") for listed in word_list()}
        slip = drawn.choice([s for s in slips(words[place].replace("-", "")) if s not in known])
        typed = [*words[:place], slip, *words[place + 1 :]]
        with contextlib.suppress(NotACodename):
            right += read(" ".join(typed)).words == tuple(words)
    assert right >= 90


def test_two_corrections_that_both_fit_are_refused_with_the_position():
    drawn = random.Random(2)  # noqa: S311  # the same draw every time
    listed = word_list()
    for first, second, slip in TWINS:
        assert {first, second} <= set(listed)
        for _ in range(200_000):
            rest = tuple(drawn.choices(listed, k=6))
            if checks((first, *rest)) and checks((second, *rest)):
                with pytest.raises(NotACodename) as refusal:
                    read(" ".join((slip, *rest)))
                assert refusal.value.positions == (1,)
                return
    pytest.fail("no such codename was found")


TWINS = [("cable", "fable", "xable")]  # one slip away from both


def test_255_of_256_wrong_codenames_are_refused():
    drawn = random.Random(3)  # noqa: S311  # the same draw every time
    tried = 8_000
    passed = 0
    for _ in range(tried):
        try:
            read(" ".join(drawn.choices(word_list(), k=7)))
            passed += 1
        except NotACodename:
            pass
    expected = tried / 2**CHECK_BITS
    assert abs(passed - expected) < 5 * expected**0.5


def test_a_codename_prints_as_nothing():
    codename = generate()
    shown = f"{codename} {codename!r} {[codename]} {codename.__dict__.keys()}"
    assert not any(re.search(rf"\b{word}\b", shown) for word in codename.words)


def test_words_that_fail_the_check_make_no_codename():
    words = made().words
    wrong = next(w for w in word_list() if not checks((w, *words[1:])))
    with pytest.raises(NotACodename):
        Codename((wrong, *words[1:]))
    with pytest.raises(NotACodename):
        Codename(words[:6])
