"""Forces that are renamed, or become part of another: each as one change of a draft, with its day.

A force never leaves the registry, and its id never changes: so what was reported of it, and what is typed from memory,
still finds a way.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from common.days import today
from common.names import is_one_line, is_short_name
from common.phrases import day as day_words
from common.registry.forces import Force, Name
from keys.registry.draft import BadDraft, Draft

_A_DAY = timedelta(days=1)


def renamed(draft: Draft, force_id: str, name: str, since: date) -> Draft:
    """With another name of a force from a day on; the old one is kept. Raises BadDraft."""
    force = draft.force(force_id)
    _check_stands(force, since)
    if not is_one_line(name):
        raise BadDraft("A name is one line of text. Give another.")
    if name == force.names[-1].name:
        raise BadDraft(f"The force {force_id} is called that already. Give another name.")
    begun = force.names[-2].until if len(force.names) > 1 else None
    if begun is not None and since - _A_DAY <= begun:
        raise BadDraft(f"The force {force_id} had another name until {day_words(begun)}. Name a later day.")
    _check_is_free(draft, name, force_id, since)
    ended = replace(force.names[-1], until=since - _A_DAY)
    return draft.with_force(replace(force, names=(*force.names[:-1], ended, Name(name))))


def merged(
    draft: Draft, force_ids: Sequence[str], into: str, since: date, new_name: str | None = None
) -> Draft:
    """With forces that are part of another from a day on. With `new_name` that is a new one, which stands where they
    did. What units serve stays: whoever is to open the reports of the other must serve it. Raises BadDraft.
    """
    parts = [draft.force(force_id) for force_id in force_ids]
    for part in parts:
        _check_stands(part, since)
    if new_name is not None:
        draft = draft.with_force(_new_force(draft, parts, into, new_name))
    target = draft.force(into)
    _check_stands(target, since)
    if into in force_ids:
        raise BadDraft(f"The force {into} cannot become part of itself. Name the others alone.")
    for part in parts:
        draft = draft.with_force(replace(part, ended=since - _A_DAY, successor=into))
    return draft


def _new_force(draft: Draft, parts: Sequence[Force], force_id: str, name: str) -> Force:
    if any(force.id == force_id for force in draft.content.forces):
        raise BadDraft(f"The force {force_id} is in the draft already. Leave its new name out, or rename it.")
    if not is_short_name(force_id) or not is_one_line(name):
        raise BadDraft(
            "A new force has a short name such as west-mercia, and a name of one line. Give others."
        )
    _check_is_free(draft, name, force_id, today())
    first = parts[0]
    if any(
        (part.nation, part.kind, part.oversight) != (first.nation, first.kind, first.oversight)
        for part in parts
    ):
        raise BadDraft(
            "These forces do not have one nation, kind and oversight. Write the new one into the draft by hand first."
        )
    return replace(first, id=force_id, names=(Name(name),), check=any(part.check for part in parts))


def _check_is_free(draft: Draft, name: str, force_id: str, since: date) -> None:
    """Two forces of one name would stand in the reporters' list from that day on, and nobody could tell them apart."""
    for other in draft.content.forces:
        there = [one.name for one in other.names if one.until is None or one.until >= since]
        if other.id != force_id and other.exists_on(since) and _plain(name) in map(_plain, there):
            raise BadDraft(
                f"The force {other.id} has that name on {day_words(since)} or later. Give another name."
            )


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _check_stands(force: Force, since: date) -> None:
    if force.ended is not None:
        into = f" and is part of {force.successor}" if force.successor else ""
        raise BadDraft(f"The force {force.id} ended on {day_words(force.ended)}{into}. Name one that stands.")
