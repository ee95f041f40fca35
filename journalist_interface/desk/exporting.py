"""Onto the stick: all answers that wait, as one signed bundle that is there whole or not at all.

The bundle is built under a hidden name and renamed at its end. Just before that its answers are marked as leaving:
a kill at any point loses none, and one that leaves twice is the same ciphertext, which the server keeps once.
"""

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from common import bundle
from common.bundle import Bundle
from common.days import today
from common.store.blobs import sync_folder
from journalist_interface.desk.answering import AnswerLost, read_answer, reply_key
from journalist_interface.desk.answers import Answer
from journalist_interface.desk.workplace import Desk

_PARTIAL = ".partial-"
_MOST = 1000  # answers in one bundle


class NoStick(Exception):
    """There is no stick, or it cannot be written to. Put it in, and export again: the answers still wait."""


@dataclass(frozen=True)
class Exported:
    """What an export did. `folder`: the bundle's name, or None when nothing waited."""

    folder: str | None
    answers: int
    lost: int = 0  # answers whose sealed file does not open: they still wait


def export_waiting(desk: Desk) -> Exported:
    """Write the answers that wait to the stick.

    Raises NoStick, NoReplyKey, RegistryRefused, StickBusy or TakenBack.
    """
    with desk.alone():
        waiting = desk.cabinet.answers.to_export(_MOST)
        if not waiting:
            return Exported(None, 0)
        if not desk.settings.stick.is_dir():
            raise NoStick
        try:
            _clear(desk.settings.stick)
            try:
                return _export(desk, waiting)
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


def _write(file: Path, content: bytes) -> None:
    with file.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _clear(stick: Path) -> None:
    """Remove what an export that was killed left. Only this desk makes folders of this name."""
    for folder in stick.glob(f"{_PARTIAL}replies-*"):
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
