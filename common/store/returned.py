"""Rows of what a unit posted and what came of it: returned with the reason, or taken while its file still lies there.

Nothing remembers what a unit posted. A row says *taken* only from when a reply has its slot until its file in the inbox
is gone, so that a kill takes none twice.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import Connection, delete, func, insert, select

from common.store.delivered import UnitFolder
from common.store.models import TAKEN, ReturnedRow
from common.store.repository import Store
from common.store.values import Why

MOST_RETURNED = 2000  # rows that are kept of a unit; what its desk did not sign takes at most half of them


def note_outcomes(
    connection: Connection,
    unit: str,
    day: date,
    outcomes: Mapping[str, str],
    unsigned: Sequence[str] = (),
) -> None:
    """Note what became of a unit's posts, by their names.

    `outcomes`: of what its desk signed. `unsigned`: what is refused, and noted only while there is much room.
    """
    mine = ReturnedRow.unit == unit
    connection.execute(delete(ReturnedRow).where(mine, ReturnedRow.post.in_([*outcomes, *unsigned])))
    kept = connection.execute(select(func.count()).select_from(ReturnedRow).where(mine)).scalar_one()
    taken = [name for name, why in outcomes.items() if why == TAKEN]
    back = [name for name, why in outcomes.items() if why != TAKEN][: max(0, MOST_RETURNED - kept)]
    room = max(0, MOST_RETURNED // 2 - kept - len(back))
    noted = {name: outcomes[name] for name in (*taken, *back)} | dict.fromkeys(unsigned[:room], Why.REFUSED)
    rows = [{"unit": unit, "post": name, "why": why, "day": day} for name, why in noted.items()]
    if rows:
        connection.execute(insert(ReturnedRow), rows)


def forget_taken(store: Store, unit: str, folder: UnitFolder) -> set[str]:
    """Delete the files of the posts that were taken, then their rows. Returns those whose files are still there.

    A kill leaves such files, and so does a folder out of which nothing may be deleted: none is taken twice.
    """
    taken = ReturnedRow.unit == unit, ReturnedRow.why == TAKEN
    with store.reading() as connection:
        names = list(connection.execute(select(ReturnedRow.post).where(*taken)).scalars())
    gone = [name for name in names if folder.delete(name)]
    if gone:
        folder.blur()
        with store.writing() as connection:
            connection.execute(delete(ReturnedRow).where(*taken, ReturnedRow.post.in_(gone)))
    return set(names) - set(gone)
