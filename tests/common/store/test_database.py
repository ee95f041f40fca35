"""Opening the store: at its newest shape, however many start at once."""

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from common.store.database import NEWEST, is_current, migrate, open_engine, open_store
from common.store.models import Base

OPEN = """
import sys
from pathlib import Path
from common.store.database import open_store
sys.stdin.readline()
store = open_store(sys.argv[1], Path(sys.argv[2]))
print(store.was_received(b"t" * 16))
"""


@pytest.fixture
def engine(folder):
    opened = open_engine(f"sqlite:///{folder / 'candour.sqlite'}")
    yield opened
    opened.dispose()


def test_the_migrations_lead_to_the_models(engine):
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == NEWEST


def test_an_empty_database_is_not_current_and_a_migrated_one_is(engine):
    assert not is_current(engine)
    migrate(engine)
    assert is_current(engine)
    migrate(engine)


def test_an_older_shape_is_not_current(engine):
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert not is_current(engine)


def test_what_is_stored_outlives_the_process(store, put, folder):
    tag = put()
    store.engine.dispose()
    again = open_store(f"sqlite:///{folder / 'candour.sqlite'}", folder / "blobs")
    assert again.was_received(tag)
    again.engine.dispose()


def test_processes_that_start_at_once_all_find_it_ready(folder):
    command = [sys.executable, "-c", OPEN, f"sqlite:///{folder / 'candour.sqlite'}", folder / "blobs"]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, "False\n"), err
