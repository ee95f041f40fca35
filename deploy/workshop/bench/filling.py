"""What the servers keep, made directly: rows as the store writes them, and blobs in their places."""

import os
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from common.config import read_server_config
from common.days import today
from common.store.database import open_store
from common.store.outbox import Outbox
from common.store.settlement import write_listing
from common.transport.settled_hours import this_hour
from deploy import data_folder
from deploy.workshop.bench.stage import Stage

_BLOCK = 1 << 20


def add_envelopes(servers: Stage, sizes: Sequence[int], said_size: int | None = None) -> list[str]:
    """Envelopes with random content of these sizes in bytes; their ids. `said_size`: what the rows say instead."""
    day = today().isoformat()
    rows = sorted((secrets.token_hex(16), secrets.token_bytes(16), "demo-unit", day, size) for size in sizes)
    with closing(_database(servers)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executemany(
            "INSERT INTO envelope (id, receipt_tag, unit, day, padded_size, state) VALUES (?, ?, ?, ?, ?, 'listed')",
            [(*row[:4], row[4] if said_size is None else said_size) for row in rows],
        )
    for identity, *_, size in rows:
        write_random(blob(servers, identity), size)
    _list(servers)
    return [row[0] for row in rows]


def _list(servers: Stage) -> None:
    """Put a listing in place, as a settlement does, without its other steps."""
    config = read_server_config(data_folder.server_settings(servers.data))
    store = open_store(config.database, config.blobs)
    write_listing(store, Outbox(config.outbox, config.blobs), this_hour(), config.limits)
    store.engine.dispose()


def blob(servers: Stage, identity: str) -> Path:
    """Where an envelope's bytes lie."""
    return servers.data / "server" / "blobs" / identity[:2] / identity


def write_random(file: Path, size: int) -> None:
    """A file of `size` random bytes; one block of them, repeated."""
    block = os.urandom(min(size, _BLOCK))
    with file.open("wb") as out:
        for _ in range(size // _BLOCK):
            out.write(block)
        out.write(block[: size % _BLOCK])


def _database(servers: Stage) -> sqlite3.Connection:
    return sqlite3.connect(servers.data / "server" / "candour.sqlite", timeout=60)
