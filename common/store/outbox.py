"""The outbox: what couriers may collect, as it stood at the last settled hour.

The settlement writes `listing.sqlite` whole, under another name, and puts it in place by one rename. The collection
reads that file and the blobs that it lists, and has no database: whatever arrives, is withdrawn or is noted between two
settled hours changes nothing that it could see there. The listing also says how much room there is for what couriers
deliver until the next one, so that the collection need not ask the disk, which would tell what arrives.
"""

import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from datetime import date
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.days import blur_times, today
from common.durable import new_file, sync_file, sync_folder
from common.envelope_id import is_envelope_id
from common.store.blobs import is_shared, open_blob
from common.store.values import Envelope, Returned

FILE = "listing.sqlite"
_SHAPE = """
CREATE TABLE listed (
    unit TEXT NOT NULL, id TEXT NOT NULL, day TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (unit, id)
) WITHOUT ROWID;
CREATE TABLE returned (
    unit TEXT NOT NULL, post TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (unit, post)
) WITHOUT ROWID;
CREATE TABLE settled (hour TEXT NOT NULL PRIMARY KEY, room INTEGER NOT NULL) WITHOUT ROWID;
"""
_WAITING = "SELECT id, day, size FROM listed WHERE unit = ? AND id > ? AND size <= ? ORDER BY id LIMIT ?"
_LISTED = "SELECT 1 FROM listed WHERE unit = ? AND id = ?"
_RETURNED = "SELECT post, why FROM returned WHERE unit = ? ORDER BY post"
_SETTLED = "SELECT hour FROM settled"
_ROOM = "SELECT room FROM settled"
_NO_LIMIT = 2**63 - 1


class Outbox:
    """The outbox in the folder `root`, of the blobs in the folder `blobs`. Safe to share between threads.

    Each call that reads names the unit: nothing of another is seen, not even counted. Reading raises sqlite3.Error
    where the listing is damaged.
    """

    def __init__(self, root: Path, blobs: Path) -> None:
        self._root, self._file, self._blobs = root, root / FILE, blobs
        self._lock = threading.Lock()
        self._opened: tuple[tuple[int, int], sqlite3.Connection] | None = None

    # What the collection does.

    def waiting(
        self, unit: str, after: str = "", most: int = 100, no_larger_than: int | None = None
    ) -> list[Envelope]:
        """Up to `most` listed envelopes of a unit whose id is greater than `after`, in order of id."""
        largest = _NO_LIMIT if no_larger_than is None else no_larger_than
        rows = self._rows(_WAITING, unit, after, largest, most)
        return [Envelope(identity, date.fromisoformat(day), size) for identity, day, size in rows]

    def open(self, unit: str, envelope_id: str) -> FileIO | None:
        """An envelope that is listed for this unit, open for reading; None for another's, or for none.

        Raises FileNotFoundError where it is gone meanwhile, as while the next settlement is under way.
        """
        if not is_envelope_id(envelope_id) or not self._rows(_LISTED, unit, envelope_id):
            return None
        return open_blob(self._blobs, envelope_id)

    def returned(self, unit: str) -> list[Returned]:
        """What this unit posted in the last 30 days and was not taken."""
        return [Returned(*row) for row in self._rows(_RETURNED, unit)]

    def settled_hour(self) -> str | None:
        """The hour of the listing, by UTC, such as 2026-11-28T18; None where there is none yet."""
        return next((hour for (hour,) in self._rows(_SETTLED)), None)

    def room(self) -> int:
        """How many bytes the whole inbox may take until the next settled hour; 0 where nothing was settled yet."""
        return next((room for (room,) in self._rows(_ROOM)), 0)

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            connection = self._connection()
            return [] if connection is None else connection.execute(query, values).fetchall()

    def _connection(self) -> sqlite3.Connection | None:
        """A connection to the file that is there now: a file that is open keeps its number, so none other has it."""
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return None
        stamp = status.st_dev, status.st_ino
        if self._opened is None or self._opened[0] != stamp:
            if self._opened is not None:
                self._opened[1].close()
            self._opened = None
            address = f"file:{quote(str(self._file))}?mode=ro&immutable=1"
            self._opened = stamp, sqlite3.connect(address, uri=True, check_same_thread=False)
        return self._opened[1]

    def close(self) -> None:
        """Let go of the listing; it is opened again when it is asked for."""
        with self._lock:
            if self._opened is not None:
                self._opened[1].close()
            self._opened = None

    # What the settlement does.

    def write(
        self,
        hour: str,
        listed: Iterable[tuple[str, Envelope]],
        returned: Iterable[tuple[str, Returned]],
        room: int,
    ) -> None:
        """Put a new listing in place, durably. `listed` and `returned`: by unit; what comes twice counts once.

        `room`: how many bytes the whole inbox may take until the next settled hour.
        Raises OSError or sqlite3.Error; what was there before stays.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._file.with_name(f"{FILE}.part")
        part.unlink(missing_ok=True)
        new_file(part).close()
        _fill(part, hour, listed, returned, room)
        sync_file(part, 0o640 if is_shared(self._root) else 0o600)
        blur_times(part, today())
        part.rename(self._file)
        sync_folder(self._root)
        blur_times(self._root, today())


def _fill(
    file: Path,
    hour: str,
    listed: Iterable[tuple[str, Envelope]],
    returned: Iterable[tuple[str, Returned]],
    room: int,
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")  # nobody reads it before it is whole
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_SHAPE)
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT OR IGNORE INTO listed VALUES (?, ?, ?, ?)",
            ((unit, one.id, one.day.isoformat(), one.size) for unit, one in listed),
        )
        connection.executemany(
            "INSERT INTO returned VALUES (?, ?, ?)", ((unit, one.post, one.why) for unit, one in returned)
        )
        connection.execute("INSERT INTO settled VALUES (?, ?)", (hour, room))
        connection.execute("COMMIT")
