"""`candour backup`: everything goes down one pipe into gpg, while the servers run.

Promises: rows are of one moment, and every envelope that they name and that still exists is in it; nothing of it is
ever on a disk but sealed; memory does not grow with an envelope's size; the file is there whole or not at all.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common import canonical
from common.config import BadConfiguration
from common.days import blur_times, today
from common.durable import sync_file, sync_folder, write_whole
from common.envelope_id import is_envelope_id
from common.gpg.sealing import RecipientRefused, Sealer, SealingFailed
from common.store import snapshot
from common.store.database import NEWEST
from deploy.backup.archive import FORMAT, FORMAT_FILE, Writer
from deploy.backup.errors import BackupFailed
from deploy.backup.foreign_files import listed, opened
from deploy.backup.layout import CLIENTS, HOSTNAME, PUBLIC_KEY, SECRET_KEY, SERVICES, SETTINGS_FILES, Layout

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Saved:
    """What a backup holds. `lost`: envelopes that have a row and no file, which only a broken disk explains."""

    file: Path
    sha256: str
    envelopes: int
    lost: int


def save(layout: Layout, to: Path, recipient: Path) -> Saved:
    """Make a backup of a host or of a demo's server, sealed to the certificate `recipient`. Raises BackupFailed.

    `to`: a new file, or a folder for one that is named by the day.
    """
    file = to / f"candour-{today()}.backup.gpg" if to.is_dir() else to
    _check(layout, file, recipient)
    part = file.with_name(f"{file.name}.part")
    contents = Contents(layout)
    try:
        part.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as home:  # gpg keeps nothing in it
            Sealer(Path(home)).seal(contents, [recipient], part)
        sha256 = _made_durable(part)
        part.rename(file)
        sync_folder(file.parent)
        write_whole(layout.stamp, f"{today()}\n".encode("ascii"), 0o640 if layout.kind == "host" else 0o600)
        blur_times(layout.stamp, today())
    except RecipientRefused:
        raise BackupFailed(
            f"gpg refuses the certificate {recipient}: it is expired, revoked or no certificate, or was made "
            "today and counts from midnight (UTC) on. Give a good one."
        ) from None
    except SealingFailed:
        raise BackupFailed(
            f"gpg could not write {part}. Is there room on that disk? Then try again."
        ) from None
    except snapshot.NoSnapshot as error:
        raise BackupFailed(f"The database {layout.database} cannot be copied. {error.__doc__}") from error
    except OSError as error:
        raise BackupFailed(f"The backup could not be made: {error}. Mend that and try again.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return Saved(file, sha256, contents.envelopes, contents.lost)


def _check(layout: Layout, file: Path, recipient: Path) -> None:
    if file.exists():
        raise BackupFailed(f"{file} is there already. Name another file, or move that one away.")
    if not file.parent.is_dir():
        raise BackupFailed(f"There is no folder {file.parent}. Make it, or name another with --to.")
    if not recipient.is_file():
        raise BackupFailed(f"There is no certificate {recipient}. Name the operator's own with --recipient.")
    try:
        layout.read_config()
    except BadConfiguration as error:
        raise BackupFailed(f"There is nothing to back up yet. {error}") from error
    if layout.onions is not None:
        for service in SERVICES:
            if not (layout.onions / service / SECRET_KEY).is_file():
                raise BackupFailed(
                    f"The {service} onion has no key in {layout.onions}. Let tor start once, then try again."
                )


def _made_durable(part: Path) -> str:
    sync_file(part, 0o600)
    with part.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    blur_times(part, today())
    return sha256


class Contents:
    """A backup's archive, as the file that gpg is fed from."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._pieces = self._archive()
        self.envelopes = self.lost = 0

    def read(self, _: int, /) -> bytes:
        """The next piece that is not empty; b"" at the end."""
        return next(filter(None, self._pieces), b"")

    def _archive(self) -> Iterator[bytes]:
        writer = Writer(today())
        head = {"format": FORMAT, "shape": NEWEST, "kind": self._layout.kind, "day": today().isoformat()}
        yield from writer.small(FORMAT_FILE, canonical.dump(head))
        for name in SETTINGS_FILES:
            yield from writer.small(f"settings/{name}", (self._layout.settings / name).read_bytes())
        if self._layout.onions is not None:
            yield from self._onions(writer, self._layout.onions)
        envelopes: list[str] = []
        with snapshot.reading(self._layout.database) as rows:
            for number, piece in enumerate(rows):
                yield from writer.small(f"rows/{piece.table}/{number:06}", piece.content)
                if piece.table == snapshot.ENVELOPE:
                    envelopes.extend(piece.keys)
        yield from self._blobs(writer, envelopes)
        yield from writer.end()

    def _onions(self, writer: Writer, onions: Path) -> Iterator[bytes]:
        for service in SERVICES:
            clients = [name for name in listed(onions, service, CLIENTS) if name.endswith(".auth")]
            for names in ((HOSTNAME,), (PUBLIC_KEY,), (SECRET_KEY,), *((CLIENTS, name) for name in clients)):
                with opened(onions, service, *names) as (stream, size):
                    name = "/".join(("onions", service, *names))
                    yield from writer.file(name, size, iter(lambda: stream.read(_CHUNK), b""))

    def _blobs(self, writer: Writer, envelopes: list[str]) -> Iterator[bytes]:
        missing = []
        for envelope in envelopes:
            if not is_envelope_id(envelope):
                raise BackupFailed("A row of the database names no envelope. `candour doctor` may say more.")
            try:
                with opened(self._layout.blobs, envelope[:2], envelope) as (stream, size):
                    yield from writer.file(f"blobs/{envelope}", size, iter(lambda: stream.read(_CHUNK), b""))
            except FileNotFoundError:  # withdrawn or swept since the rows were read, row first
                missing.append(envelope)
                continue
            self.envelopes += 1
        if missing:
            with snapshot.reading(self._layout.database) as rows:
                still = {key for piece in rows if piece.table == snapshot.ENVELOPE for key in piece.keys}
            self.lost = len(still.intersection(missing))
