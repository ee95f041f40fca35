"""Onto the stick: all answers that wait, as one signed bundle that is there whole or not at all; and each conversation
that is passed on, as a bundle of its own: its envelopes and its handover leave together.

The bundle is built under a hidden name and renamed at its end. Just before that its answers are marked as leaving:
a kill at any point loses none, and one that leaves twice is the same ciphertext, which the server keeps once.
"""

import os
import secrets
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from common import bundle
from common.bundle import Bundle
from common.days import today
from common.store.blobs import sync_folder
from journalist_interface.desk.answering import AnswerLost, read_answer, reply_key
from journalist_interface.desk.answers import Answer
from journalist_interface.desk.forwarding import ForwardLost, document_of
from journalist_interface.desk.forwards import Forward
from journalist_interface.desk.workplace import Desk

_PARTIAL = ".partial-"
_CHUNK = 1024 * 1024
_MOST = 1000  # answers in one bundle


class NoStick(Exception):
    """There is no stick, or it cannot be written to. Put it in, and export again: the answers still wait."""


@dataclass(frozen=True)
class Exported:
    """What an export did. `folder`: the bundle's name, or None when nothing waited."""

    folder: str | None
    answers: int
    lost: int = 0  # answers whose sealed file does not open: they still wait
    forwards: int = 0  # conversations passed on
    forwards_lost: int = 0


def export_waiting(desk: Desk) -> Exported:
    """Write the answers that wait to the stick, and what is passed on.

    Raises NoStick, NoReplyKey, RegistryRefused, StickBusy or TakenBack.
    """
    with desk.alone():
        waiting = desk.cabinet.answers.to_export(_MOST)
        passing = desk.cabinet.forwards.to_export()
        if not waiting and not passing:
            return Exported(None, 0)
        if not desk.settings.stick.is_dir():
            raise NoStick
        try:
            _clear(desk.settings.stick)
            try:
                done = _export(desk, waiting) if waiting else Exported(None, 0)
                left = [_pass_on(desk, forward) for forward in passing]
                return replace(done, forwards=left.count(True), forwards_lost=left.count(False))
            finally:
                _clear(desk.settings.stick)
        except OSError as error:
            raise NoStick from error


def _export(desk: Desk, waiting: list[Answer]) -> Exported:
    _, unit = desk.settings.load_registry()
    key = reply_key(desk, unit)
    stick, day = desk.settings.stick, today()
    name = bundle.folder_name("replies", day, secrets.token_hex(4))
    partial = stick / f"{_PARTIAL}{name}"
    partial.mkdir(mode=0o700)
    written, lost = [], 0
    for answer in waiting:
        try:
            document = read_answer(desk, answer.id).outgoing
        except AnswerLost:
            lost += 1
            continue
        _write(partial / secrets.token_hex(16), document)
        written.append(answer.id)
    if not written:
        return Exported(None, 0, lost)
    items = tuple(bundle.describe(file) for file in sorted(partial.iterdir()))
    bundle.write_manifest(Bundle(partial, "replies", unit.id, day, items), key)
    desk.cabinet.answers.leave(written)
    partial.rename(stick / name)
    sync_folder(stick)
    desk.cabinet.answers.mark_exported(written, day)
    return Exported(name, len(written), lost)


def _pass_on(desk: Desk, forward: Forward) -> bool:
    """Write one conversation that is passed on. False when not all of it is there any more."""
    _, unit = desk.settings.load_registry()
    key = reply_key(desk, unit)
    stick, day = desk.settings.stick, today()
    name = bundle.folder_name("forwards", day, secrets.token_hex(4))
    partial = stick / f"{_PARTIAL}{name}"
    try:
        document = document_of(desk, forward.id)
        envelopes = desk.cabinet.forwards.envelopes(forward.id)
        if any(not desk.files.forwarded(one.id).is_file() for one in envelopes):
            raise ForwardLost
    except ForwardLost:
        return False
    partial.mkdir(mode=0o700)
    first = partial / secrets.token_hex(16)
    _write(first, document)
    for one in envelopes:
        with desk.files.forwarded(one.id).open("rb") as source, (partial / one.id).open("xb") as copy:
            shutil.copyfileobj(source, copy, _CHUNK)
            copy.flush()
            os.fsync(copy.fileno())
    items = (bundle.describe(first), *(bundle.describe(partial / one.id) for one in envelopes))
    if [item.sha256 for item in items[1:]] != [one.sha256 for one in envelopes]:
        return False
    bundle.write_manifest(Bundle(partial, "forwards", unit.id, day, items), key)
    desk.cabinet.forwards.leave(forward.id)
    partial.rename(stick / name)
    sync_folder(stick)
    desk.cabinet.forwards.mark_exported(forward.id, day)
    return True


def _write(file: Path, content: bytes) -> None:
    with file.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _clear(stick: Path) -> None:
    """Remove what an export that was killed left. Only this desk makes folders of this name."""
    for folder in [*stick.glob(f"{_PARTIAL}replies-*"), *stick.glob(f"{_PARTIAL}forwards-*")]:
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
