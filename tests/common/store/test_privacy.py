"""What a seized disk shows: no hours, no row numbers; and nothing to others on the machine."""

import hashlib
import os
import re
import sqlite3
from datetime import timedelta

from sqlalchemy import event, text

from common.days import today
from common.store.blobs import BlobFolder
from common.store.models import Base


def test_files_and_folders_are_the_owners_alone(store, put, folder):
    put()
    store.blobs.enter().leave()
    for path in (folder / "blobs").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert (folder / "blobs").stat().st_mode & 0o777 == 0o700


def test_whatever_the_umask_files_and_folders_are_the_owners_alone(folder):
    mask = os.umask(0)
    try:
        blobs = BlobFolder(folder / "others")
        with blobs.create() as blob:
            os.write(blob.descriptor, b"x")
            blobs.commit(blob, today())
    finally:
        os.umask(mask)
    assert modes(folder / "others") == {0o700, 0o600}


def test_in_a_folder_that_was_made_for_a_group_it_may_enter_and_reads_what_is_shown(folder):
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(0o2750)
    mask = os.umask(0o077)
    try:
        blobs = BlobFolder(shared)
        with blobs.create() as blob, blobs.create() as other:
            for one in (blob, other):
                os.write(one.descriptor, b"x")
                blobs.commit(one, today())
        assert blobs.show(blob.id) == hashlib.sha256(b"x").digest()
        assert blobs.show("0" * 32) is None
    finally:
        os.umask(mask)
    assert blobs._path(blob.id).stat().st_mode & 0o777 == 0o640
    shown = blobs._path(blob.id)
    assert modes(shared) == {0o2750, 0o2710, 0o640, 0o600}
    assert [file for file in shared.rglob("*") if file.stat().st_mode & 0o7777 == 0o640] == [shown]


def modes(top):
    return {path.stat().st_mode & 0o7777 for path in (top, *top.rglob("*"))}


def test_a_blob_has_the_time_of_midnight(store, put, blob_files):
    put(day=today() - timedelta(days=3))
    put()
    for path in blob_files():
        status = path.stat()
        assert status.st_mtime % 86400 == 0
        assert status.st_atime % 86400 == 0


def test_every_connection_overwrites_what_it_deletes_and_keeps_to_memory(store):
    connections = [store.engine.connect() for _ in range(12)]  # more than the pool keeps
    for connection in connections:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "secure_delete", "temp_store", "foreign_keys")
        }
        assert settings == {
            "journal_mode": "wal",
            "synchronous": 2,
            "secure_delete": 1,
            "temp_store": 2,
            "foreign_keys": 1,
        }
    for connection in connections:
        connection.close()


def test_no_table_numbers_its_rows(store):
    with store.engine.connect() as connection:
        tables = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version'")
        ).all()
    assert {name for name, _ in tables} == set(Base.metadata.tables)
    assert all(sql.rstrip().endswith("WITHOUT ROWID") for _, sql in tables)


def test_identities_are_random_and_rows_come_in_their_order(store, put, folder):
    put_in_order = [put() for _ in range(60)]
    with sqlite3.connect(folder / "candour.sqlite") as connection:
        read = [row[0] for row in connection.execute("SELECT receipt_tag FROM envelope")]
        ids = [row[0] for row in connection.execute("SELECT id FROM envelope")]
    connection.close()
    assert sorted(read) == sorted(put_in_order)
    assert read != put_in_order
    assert ids == sorted(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", identity) for identity in ids)
    assert len({identity[:2] for identity in ids}) > 20


def test_no_column_is_finer_than_a_day_or_names_a_person():
    columns = {
        name: {column.name: str(column.type) for column in table.columns}
        for name, table in Base.metadata.tables.items()
    }
    assert columns == {
        "envelope": {
            "id": "VARCHAR(32)",
            "receipt_tag": "BLOB",
            "unit": "VARCHAR(64)",
            "day": "DATE",
            "padded_size": "BIGINT",
            "state": "VARCHAR(9)",
            "sha256": "BLOB",
            "held_day": "DATE",
        },
        "reply": {"tag": "BLOB", "ciphertext": "BLOB", "day": "DATE", "expires": "DATE"},
        "returned": {"unit": "VARCHAR(64)", "post": "VARCHAR(32)", "why": "VARCHAR(8)", "day": "DATE"},
    }


def test_what_is_deleted_is_not_in_the_database_file_any_more(store, put, folder):
    tag, reply = os.urandom(16), os.urandom(9328)
    put(tag)
    store.put_reply([b"r" * 16], reply, today())
    checkpoint(store)
    assert tag in (folder / "candour.sqlite").read_bytes()
    assert reply[-64:] in (folder / "candour.sqlite").read_bytes()
    store.withdraw(tag)
    store.overwrite_reply(b"r" * 16, os.urandom(9328))
    checkpoint(store)
    assert tag not in (folder / "candour.sqlite").read_bytes()
    left = (folder / "candour.sqlite").read_bytes()
    assert not any(reply[at : at + 16] in left for at in range(0, len(reply), 16))


def checkpoint(store):
    with store.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


def test_a_visit_writes_nothing(store, put, folder):
    tag = put()
    written = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def _note(connection, cursor, statement, *_):
        if any(word in statement for word in ("INSERT", "UPDATE", "DELETE")):
            written.append(statement)

    before = (folder / "candour.sqlite-wal").stat().st_size
    store.mailbox([tag], [tag])
    store.was_received(tag)
    assert written == []
    assert (folder / "candour.sqlite-wal").stat().st_size == before


def test_after_a_sweep_the_file_does_not_tell_what_came_first(store, put, folder, blob_files):
    for _ in range(40):
        put()
    ids = [path.name for path in sorted(blob_files())]
    store.sweep(today(), alone=True)
    content = (folder / "candour.sqlite").read_bytes()
    places = [content.index(identity.encode()) for identity in ids]
    assert places in (sorted(places), sorted(places, reverse=True)), "rows stand in the order of their keys"
    assert (folder / "candour.sqlite-wal").stat().st_size == 0
