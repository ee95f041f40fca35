"""Finding a force by what people type: its name, a former one, the beginning of one, its initials, its region.

Case, punctuation and small misspellings are forgiven. What was typed is used for this and kept nowhere.
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from common.registry.forces import Force

LONGEST = 80  # characters that are looked at
_SMALL = frozenset({"a", "and", "of", "the"})
_OF_ALL = frozenset({"constabulary", "force", "police"})  # words that tell no force from another
_SHORTEST_MISSPELT = 4  # letters: any shorter word is like too many others
_ALIKE = 0.75  # of 1: two letters of eight, or two that changed places
_NEARLY_ALIKE = 0.7  # polis, polcie: for words that tell nothing and are left out where others do


def search(forces: Iterable[Force], typed: str) -> tuple[Force, ...]:
    """The forces that may be meant, likeliest first: those of these initials, then those in one of whose names each
    typed word begins a word. Only where there is none, those where words are nearly the same.
    """
    written = _words(typed[:LONGEST])
    told = [word for word in written if word not in _SMALL]
    words = [word for word in told if not _is_of_all(word)] or told
    by_initials, by_name, nearly = [], [], []
    for force in forces:
        names = [_words(name.name) for name in force.names] + [_words(force.id)]
        listed = [name + _words(force.region) for name in names]
        if "".join(written) in {initials for name in names for initials in _initials(name)}:
            by_initials.append(force)
        elif words and any(all(_begins(word, name) for word in words) for name in listed):
            by_name.append(force)
        elif words and any(
            all(_begins(word, name) or _is_like(word, name) for word in words) for name in listed
        ):
            nearly.append(force)
    return tuple(by_initials + by_name or nearly)


def nearest(forces: Iterable[Force], typed: str) -> tuple[str, ...]:
    """Up to four ids that may have been meant by one that no force has."""
    forces = tuple(forces)
    found = search(forces, typed) or sorted(forces, key=lambda force: -_likeness(typed.casefold(), force.id))
    return tuple(force.id for force in found[:4])


def _words(text: str) -> list[str]:
    plain = text.casefold().replace("&", " and ").replace("'", "").replace("’", "")
    words: list[str] = []
    letters = ""
    for word in re.findall(r"\w+", plain):
        if len(word) == 1 and word.isalpha() and word != "a":
            letters += word  # G. M. P.
            continue
        words += [letters] if letters else []
        words, letters = [*words, word], ""
    return [*words, letters] if letters else words


def _initials(name: list[str]) -> set[str]:
    """With and without its small words; of one word there are none."""
    of_all = "".join(word[0] for word in name)
    of_some = "".join(word[0] for word in name if word not in _SMALL)
    return {initials for initials in (of_all, of_some) if len(initials) > 1}


def _begins(word: str, name: list[str]) -> bool:
    return any(one.startswith(word) for one in name)


def _is_of_all(word: str) -> bool:
    return word in _OF_ALL or (
        len(word) >= _SHORTEST_MISSPELT and any(_likeness(word, one) >= _NEARLY_ALIKE for one in _OF_ALL)
    )


def _is_like(word: str, name: list[str]) -> bool:
    return len(word) >= _SHORTEST_MISSPELT and any(_likeness(word, one) >= _ALIKE for one in name)


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
