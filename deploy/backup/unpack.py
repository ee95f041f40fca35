"""What comes out of a backup, into fresh folders: each kind of file to where it belongs, no larger than it may be.

A name decides where a file goes only after it has matched one of the few forms in `archive`, so no path leads astray.
"""

import io
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from sqlalchemy import delete, select

from common import canonical
from common.days import blur_times, midnight_of, today
from common.durable import new_file, sync_stream, write_new
from common.store import snapshot
from common.store.blobs import blob_path
from common.store.database import NEWEST, open_store
from common.store.models import EnvelopeRow
from common.store.repository import Store
from common.store.values import State
from deploy.backup.archive import FORMAT, FORMAT_FILE, MANIFEST, Sink
from deploy.backup.errors import RestoreRefused
from deploy.backup.layout import Layout


class _Held(io.BytesIO):
    """A small file that is held in memory until it is whole."""

    def __init__(self, use: Callable[[bytes], None]) -> None:
        super().__init__()
        self._use = use

    def close(self) -> None:
        if not self.closed:
            content = self.getvalue()
            super().close()
            self._use(content)


class _Written:
    """A large file that is written as it comes, with the time of its day. `mode`: what it has when it is whole."""

    def __init__(self, path: Path, seconds: float, mode: int) -> None:
        self._seconds, self._mode = seconds, mode
        self._stream = new_file(path)

    def write(self, piece: bytes, /) -> object:
        return self._stream.write(piece)

    def close(self) -> None:
        self._stream.flush()
        os.fchmod(self._stream.fileno(), self._mode)
        os.utime(self._stream.fileno(), (self._seconds, self._seconds))
        sync_stream(self._stream)
        self._stream.close()


class Unpacking:
    """A set-up in the making. `day`: of the backup."""

    def __init__(self, fresh: Layout) -> None:
        self._fresh = fresh
        self._came: set[str] = set()
        self.day = ""
        self.manifest = b""

    @cached_property
    def _store(self) -> Store:
        self._fresh.database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open_store(f"sqlite:///{self._fresh.database}", self._fresh.blobs)

    @property
    def envelopes(self) -> int:
        return len(self._came)

    def begin(self, name: str, size: int) -> Sink:
        """Where a file goes. The name is one that an archive may hold. Raises RestoreRefused."""
        kind, _, rest = name.partition("/")
        match kind:
            case "settings":
                return _Held(lambda content: _put(self._fresh.settings / rest, content))
            case "onions" if self._fresh.onions is not None:
                file = self._fresh.onions / rest
                return _Held(lambda content: _put(file, content))
            case "rows":
                return _Held(lambda content: self._rows(rest.partition("/")[0], content))
            case "blobs":
                return self._blob(rest, size)
        if name == FORMAT_FILE:
            return _Held(self._check_format)
        if name == MANIFEST:
            return _Held(self._keep_manifest)
        raise RestoreRefused("There are onion keys in this backup of a demo. Do not trust it.")

    def _check_format(self, untrusted: bytes) -> None:
        try:
            head = canonical.load(untrusted)
            version, kind = canonical.whole(head, "format"), canonical.text(head, "kind")
            shape, self.day = canonical.text(head, "shape"), canonical.text(head, "day")[:10]
        except canonical.NotCanonical as error:
            raise RestoreRefused("This is no backup of Candour. Name another file.") from error
        if (version, shape) != (FORMAT, NEWEST):
            raise RestoreRefused(
                f"This backup is from another version of Candour (format {version}, rows {shape[:16]!r}). "
                "Restore it with that version, and update afterwards."
            )
        if kind != self._fresh.kind:
            raise RestoreRefused(f"This backup is of a {kind[:16]!r}, not of a {self._fresh.kind}.")

    def _keep_manifest(self, content: bytes) -> None:
        self.manifest = content

    def _rows(self, table: str, untrusted: bytes) -> None:
        try:
            snapshot.add(self._store.engine, table, untrusted)
        except snapshot.BadRows as error:
            raise RestoreRefused(f"{error.__doc__} Nothing was put in place. Use another backup.") from error

    def _blob(self, envelope: str, size: int) -> Sink:
        query = select(EnvelopeRow.day, EnvelopeRow.state)
        query = query.where(EnvelopeRow.id == envelope, EnvelopeRow.padded_size == size)
        with self._store.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise RestoreRefused("There is an envelope without its row in this backup. Use another.")
        self._came.add(envelope)
        is_shown = (
            row.state != State.NEW and self._fresh.kind == "host"
        )  # what was listed, the collection reads
        return _Written(
            blob_path(self._fresh.blobs, envelope), midnight_of(row.day), 0o640 if is_shown else 0o600
        )

    def finish(self) -> None:
        """Let rows and envelopes agree: what was deleted while the backup was made has a row here and no envelope."""
        with self._store.engine.begin() as connection:
            for envelope in set(connection.execute(select(EnvelopeRow.id)).scalars()) - self._came:
                connection.execute(delete(EnvelopeRow).where(EnvelopeRow.id == envelope))
        for folder in self._fresh.blobs.iterdir():
            blur_times(folder, today())
        self.close()

    def close(self) -> None:
        """Let go of the database: all of it is then in one file."""
        if "_store" in vars(self):
            self._store.engine.dispose()


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_new(path, content)
