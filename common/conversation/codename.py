"""The codename: seven words that are the only way back to a conversation.

Drawn from the operating system's randomness out of the EFF's large word list (7,776 words, 12.9 bits each),
and drawn again until SHA-256 of the words ends in eight zero bits. That leaves about 82 bits, and lets 255 of
256 slips be noticed without looking anything up. A codename is never stored; a valid one that was never used
looks exactly like one with no news.

Reading forgives case, spacing, hyphens and punctuation. A word that is not on the list is matched to its nearest
neighbours, and a correction is taken only when exactly one satisfies the check.
"""

import hashlib
import itertools
import re
import secrets
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from math import prod

from rapidfuzz.distance import OSA

WORDS_IN_A_CODENAME = 7
CHECK_BITS = 8
LONGEST_TYPED = 400  # characters; seven words of nine letters with generous separators are under 100
_MOST_CANDIDATES = 4000  # corrections tried before giving up: bounds the work of one attempt
_FURTHEST_SLIP = 2  # edits (insertion, deletion, substitution, neighbours swapped) within one word


class NotACodename(ValueError):
    """This is not a codename. Compare it, word by word, with what you wrote down.

    `positions` counts from 1 and names the words that are not understood; it is empty when the words are known
    but do not belong together. The message never holds what was typed.
    """

    def __init__(self, message: str, positions: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.positions = positions


@dataclass(frozen=True)
class Codename:
    """Seven words of the list that satisfy the check. Prints as nothing."""

    words: tuple[str, ...] = field(repr=False)
    corrected: tuple[int, ...] = field(default=(), repr=False, compare=False)  # positions from 1

    def __post_init__(self) -> None:
        if len(self.words) != WORDS_IN_A_CODENAME or not _satisfies_check(self.words):
            raise NotACodename("These words are not a codename.")

    @property
    def text(self) -> str:
        """The words, lower case, with one space between them: what derivation takes."""
        return " ".join(self.words)

    def __str__(self) -> str:
        return "<codename>"


@cache
def word_list() -> tuple[str, ...]:
    """The EFF's large list (2016, CC BY 3.0 US), in its order: 7,776 words of 3 to 9 letters."""
    words = tuple(files("common.conversation").joinpath("words.txt").read_text("ascii").split())
    if len(set(words)) != 6**5:
        raise RuntimeError("common/conversation/words.txt is damaged: it must hold 7,776 different words")
    return words


@cache
def _by_letters() -> dict[str, tuple[str, ...]]:
    """Letters alone -> the words as listed, so that `drop down` and `dropdown` find `drop-down`.

    It is one word but for `yoyo`: the list has `yo-yo` as well, and the check tells which is meant.
    """
    found: dict[str, tuple[str, ...]] = {}
    for word in word_list():
        letters = word.replace("-", "")
        found[letters] = (*found.get(letters, ()), word)
    return found


def generate() -> Codename:
    """A new codename. About 256 draws, well under a millisecond each."""
    words = word_list()
    while True:
        drawn = tuple(secrets.choice(words) for _ in range(WORDS_IN_A_CODENAME))
        typed = [word.replace("-", "") for word in drawn]
        if _satisfies_check(drawn) and len(list(_fitting(typed, 0))) == 1:
            return Codename(drawn)


def read(untrusted_text: str) -> Codename:
    """The codename a person typed, with slips put right where that is certain.

    Raises NotACodename, with the positions of the words that are not understood.
    """
    if len(untrusted_text) > LONGEST_TYPED:
        raise NotACodename("That is much longer than a codename. A codename is seven words.")
    typed = _split(untrusted_text)
    if not typed:
        raise NotACodename("Type the seven words of your codename.")
    if len(typed) != WORDS_IN_A_CODENAME:
        raise NotACodename(f"A codename is seven words. This is {_count(len(typed))}.")

    listed = _by_letters()
    unknown = tuple(n for n, token in enumerate(typed, 1) if token not in listed)
    for furthest in range(_FURTHEST_SLIP + 1) if unknown else (0,):
        fitting = list(itertools.islice(_fitting(typed, furthest), 2))
        if len(fitting) == 1:
            return Codename(fitting[0], corrected=unknown)
        if fitting:
            break
    if not unknown:
        raise NotACodename(
            "These words are all on the list, but together they are not a codename. "
            "Check each word, and their order, with what you wrote down."
        )
    raise NotACodename(_not_understood(unknown), unknown)


def _fitting(typed: list[str], furthest: int) -> Iterator[tuple[str, ...]]:
    """Every way to put the unknown words right within `furthest` edits each that satisfies the check."""
    choices = [_neighbours(token, furthest) for token in typed]
    if prod(len(words) for words in choices) > _MOST_CANDIDATES:
        return
    yield from (words for words in itertools.product(*choices) if _satisfies_check(words))


def _neighbours(token: str, furthest: int) -> tuple[str, ...]:
    listed = _by_letters()
    if token in listed or furthest == 0:
        return listed.get(token, ())
    return tuple(
        word
        for letters, words in listed.items()
        if abs(len(letters) - len(token)) <= furthest
        and OSA.distance(token, letters, score_cutoff=furthest) <= furthest
        for word in words
    )


def _split(untrusted_text: str) -> list[str]:
    """Runs of letters, lower case; the list's four hyphenated words are put together again."""
    letters = unicodedata.normalize("NFKC", untrusted_text).casefold()
    tokens = re.findall(r"[^\W\d_]+", letters)
    hyphenated = {tuple(word.split("-")) for word in word_list() if "-" in word}
    joined: list[str] = []
    while tokens:
        pair = tuple(tokens[:2])
        take = 2 if pair in hyphenated else 1
        joined.append("".join(tokens[:take]))
        del tokens[:take]
    return joined


def _satisfies_check(words: tuple[str, ...]) -> bool:
    digest = hashlib.sha256(" ".join(words).encode("ascii")).digest()
    return int.from_bytes(digest, "big") % (1 << CHECK_BITS) == 0


def _count(n: int) -> str:
    return "one word" if n == 1 else f"{n} words"


def _not_understood(positions: tuple[int, ...]) -> str:
    if len(positions) == 1:
        return f"Word {positions[0]} is not on the list of words. Compare it with what you wrote down."
    named = ", ".join(map(str, positions[:-1])) + f" and {positions[-1]}"
    return f"Words {named} are not on the list of words. Compare them with what you wrote down."
