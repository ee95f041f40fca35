"""Opening the store: the database with the settings that keep it private and durable, at its newest shape."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from common.durable import locked
from common.store.blobs import BlobFolder
from common.store.repository import Store

NEWEST = "0003"  # the last migration in migrations/versions

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit that was answered survives a power cut
    "PRAGMA secure_delete = ON",  # what is deleted is overwritten
    "PRAGMA temp_store = MEMORY",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA foreign_keys = ON",
)


def open_store(database: str, blobs: Path) -> Store:
    """The store at a database URL and a folder of blobs, migrated to the newest shape."""
    engine = open_engine(database)
    migrate(engine)
    return Store(engine, BlobFolder(blobs))


def open_engine(database: str) -> Engine:
    """An engine whose SQLite connections are durable, overwrite what they delete, and spill to no file."""
    if make_url(database).get_backend_name() != "sqlite":
        return create_engine(database, pool_pre_ping=True)
    # The connection that was used last is used first: it has the pages of the database at hand.
    engine = create_engine(database, poolclass=QueuePool, pool_size=8, max_overflow=-1, pool_use_lifo=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: object, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's own connection
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    return engine


def is_current(engine: Engine) -> bool:
    """True when the database has the newest shape."""
    if not inspect(engine).has_table("alembic_version"):
        return False
    with engine.connect() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == NEWEST


def migrate(engine: Engine) -> None:
    """Bring the database to the newest shape. Quick when it has it; safe when two processes start at once."""
    if is_current(engine):
        return
    from alembic import command  # slow to import, and seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _one_at_a_time(engine):
        if is_current(engine):
            return
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


@contextmanager
def _one_at_a_time(engine: Engine) -> Iterator[None]:
    if engine.url.get_backend_name() != "sqlite":
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(6343)"))
            yield
        return
    with locked(Path(f"{engine.url.database}.lock")):
        yield
