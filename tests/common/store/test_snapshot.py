"""All rows at one moment come back as they were, and what is no row of ours is refused."""

from typing import Any

import pytest
from sqlalchemy import select

from common import canonical
from common.days import today
from common.store import snapshot
from common.store.database import migrate, open_engine
from common.store.models import Base
from common.store.snapshot import BadRows


@pytest.fixture
def fresh(folder):
    engine = open_engine(f"sqlite:///{folder / 'fresh.sqlite'}")
    migrate(engine)
    yield engine
    engine.dispose()


def rows(engine):
    with engine.connect() as connection:
        tables = Base.metadata.tables.items()
        return {name: sorted(map(tuple, connection.execute(select(table)))) for name, table in tables}


def test_every_row_comes_back_whatever_its_state(store, put, settle, inbox, desk, outbox, folder, fresh):
    tags = [put(content=b"x" * size) for size in (1, 2, 3)]
    settle()
    store.withdraw(tags[0])
    store.note_held("u", [one.id for one in outbox.waiting("u") if one.size == 2], today())
    inbox.put_post("u", desk.reply(day=today().replace(year=2020)))
    settle()
    put()
    with snapshot.reading(folder / "candour.sqlite") as pieces:
        for piece in pieces:
            snapshot.add(fresh, piece.table, piece.content)
    before = rows(store.engine)
    assert rows(fresh) == before
    assert set(snapshot.TABLES) == set(before)
    assert {name: len(found) for name, found in before.items()} == {"envelope": 3, "reply": 4, "returned": 1}


@pytest.mark.parametrize(
    ("table", "column", "wrong"),
    [
        ("envelope", "state", "lost"),
        ("envelope", "sha256", "AAAA"),
        ("envelope", "held_day", "yesterday"),
        ("returned", "why", "because"),
        ("returned", "post", "../x"),
    ],
)
def test_what_is_no_row_of_ours_is_refused(fresh, table, column, wrong):
    rows_: dict[str, list[Any]] = {
        "envelope": ["0" * 32, "AAAAAAAAAAAAAAAAAAAAAA==", "u", "2026-11-28", 1, "new", None, None],
        "returned": ["u", "0" * 32, "refused", "2026-11-28"],
    }
    row = rows_[table]
    names = [one.name for one in Base.metadata.tables[table].columns]
    snapshot.add(fresh, table, canonical.dump({"columns": names, "rows": [row]}))
    row[names.index(column)] = wrong
    row[0 if table == "envelope" else 1] = wrong if column == "post" else "1" * 32
    with pytest.raises(BadRows):
        snapshot.add(fresh, table, canonical.dump({"columns": names, "rows": [row]}))
