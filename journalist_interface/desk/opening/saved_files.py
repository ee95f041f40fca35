"""Saving a file of a report where the reviewer asked for it, and reading a small one for a page.

The sealed envelope streams through gpg twice: once to learn where the file begins, once to take it out. It is
written under another name, checked against the report's own manifest, made durable and renamed; what does not
check leaves nothing. The original stays sealed as it came.
"""

import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from common.days import today
from common.durable import sync_folder, sync_stream
from common.report.archive import Extract
from common.report.report import Attachment
from journalist_interface.desk.opening.display import base_name
from journalist_interface.desk.opening.hand_sealed import MOST_FILE, HandSealed, open_by_hand
from journalist_interface.desk.opening.inspection import open_envelope, open_sealed
from journalist_interface.desk.rows.envelopes import Envelope
from journalist_interface.desk.services import Desk, NotHere
from journalist_interface.workstation.references import conversation_reference, message_reference

_UNFINISHED = (
    ".unfinished-"  # no file of a report has a name that begins with a dot (common/report/filename.py)
)
_CHUNK = 1024 * 1024
_one_at_a_time = threading.Lock()


class NotSaved(Exception):
    """The file was not saved, and nothing of it was left. The message says why and what to do."""


@dataclass(frozen=True)
class Saved:
    """Where a file was saved, and what it is. `before`: it was there already, and is the same."""

    path: Path = field(repr=False)
    file: Attachment = field(repr=False)
    before: bool


def clear_unfinished(saved: Path) -> None:
    """Remove what was being saved when the desk was killed. Only while nobody saves."""
    for part in saved.rglob(f"{_UNFINISHED}*"):
        part.unlink()


def save(desk: Desk, envelope: Envelope, number: int) -> Saved:
    """Save the file `number` of a message. Raises NotHere, CannotOpen, WrongFile or NotSaved."""
    with _one_at_a_time:
        take, file = _find(desk, envelope, number)
        folder = (
            desk.settings.saved
            / conversation_reference(envelope.conversation or "")
            / message_reference(envelope.id)
        )
        _private_folder(desk.settings.saved, folder)
        place = folder / base_name(file)
        if place.exists():
            return _there_already(place, file)
        if file.size > shutil.disk_usage(folder).free:
            raise NotSaved("The disk has no room for this file. Make room and save it again.")
        part = folder / f"{_UNFINISHED}{place.name}"
        try:
            _write(part, take)
            part.rename(place)
        except OSError as error:
            raise NotSaved(
                f"Writing the file failed ({error.strerror}). Mend that and save it again."
            ) from error
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
        sync_folder(folder)
        desk.cabinet.envelopes.record_saved(envelope.id, file.sha256, today())
        return Saved(place, file, before=False)


def open_file(desk: Desk, envelope: Envelope, number: int) -> tuple[Attachment, HandSealed]:
    """A small file that the reporter sealed by own hand. Raises NotHere, CannotOpen, WrongFile."""
    take, file = _find(desk, envelope, number)
    if file.size > MOST_FILE:
        raise NotHere("too large to be opened on a page")
    content = bytearray()
    take(content.extend)
    return file, open_by_hand(desk.opener, bytes(content))


def _find(
    desk: Desk, envelope: Envelope, number: int
) -> tuple[Callable[[Callable[[bytes], object]], None], Attachment]:
    """A file of a message, and what streams it. The first of the two passes."""
    tail, opened, _ = open_envelope(desk, envelope.id, envelope.size)
    if not 1 <= number <= len(opened.files):
        raise NotHere("no such file")
    file = opened.files[number - 1]

    def take(write: Callable[[bytes], object]) -> None:
        extract = Extract(tail, file, write)
        open_sealed(desk, desk.files.envelope(envelope.id), extract.feed, envelope.size)
        extract.check()

    return take, file


def _write(part: Path, take: Callable[[Callable[[bytes], object]], None]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o600), "wb") as stream:
        take(stream.write)
        sync_stream(stream)


def _private_folder(root: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in (folder, folder.parent, root):
        one.chmod(0o700)
        sync_folder(one)


def _there_already(place: Path, file: Attachment) -> Saved:
    digest = hashlib.sha256()
    with place.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != file.sha256:
        raise NotSaved(f"Another file is at {place}. Move it away, then save this one again.")
    return Saved(place, file, before=True)
