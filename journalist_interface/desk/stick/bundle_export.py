"""Onto the stick: the answers that wait and the receipts that are owed, as one signed bundle of posts that is there
whole or not at all; and each conversation that is passed on, as a bundle of its own: its envelopes and its handover
leave together.

The bundle is built under a hidden name and renamed at its end. Just before that its answers are marked as leaving:
a kill at any point loses none, and one that leaves twice is the same answer, which its reporter is shown once.
A receipt says that an envelope lies here, sealed and durable. It leaves with every export until it was delivered.
"""

import secrets
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.days import today
from common.durable import new_file, sync_folder, sync_stream, write_new
from common.registry.units import Unit
from common.transport import bundle, bundle_item, post
from common.transport.bundle import Bundle
from common.transport.post import MOST_RECEIPTS
from journalist_interface.desk.answers.composition import AnswerLost, read_answer, reply_key
from journalist_interface.desk.passing_on.handover import ForwardLost, document_of
from journalist_interface.desk.rows.answers import Answer
from journalist_interface.desk.rows.forwards import Forward
from journalist_interface.desk.services import Desk

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
    receipts: int = 0  # envelopes of which the servers are told that they are here
    lost: int = 0  # answers whose sealed file does not open: they still wait
    forwards: int = 0  # conversations passed on
    forwards_lost: int = 0


def export_waiting(desk: Desk) -> Exported:
    """Write the answers that wait, the receipts that are owed, and what is passed on to the stick.

    Raises NoStick, NoReplyKey, RegistryRefused, StickBusy or TakenBack.
    """
    with desk.alone():
        waiting = desk.cabinet.answers.to_export(_MOST)
        owed = _owed_receipts(desk)
        passing = desk.cabinet.forwards.to_export()
        if not waiting and not owed and not passing:
            return Exported(None, 0)
        if not desk.settings.stick.is_dir():
            raise NoStick
        try:
            _clear(desk.settings.stick)
            try:
                done = _export(desk, waiting, owed) if waiting or owed else Exported(None, 0)
                left = [_pass_on(desk, forward) for forward in passing]
                return replace(done, forwards=left.count(True), forwards_lost=left.count(False))
            finally:
                _clear(desk.settings.stick)
        except OSError as error:
            raise NoStick from error


def _owed_receipts(desk: Desk) -> dict[str, str]:
    """Those of envelopes whose sealed file is there: id -> SHA-256 as it came."""
    owed = desk.cabinet.posts.owed_receipts()
    return {one: digest for one, digest in owed.items() if desk.files.envelope(one).is_file()}


def _export(desk: Desk, waiting: list[Answer], owed: dict[str, str]) -> Exported:
    _, unit = desk.settings.load_registry()
    key = reply_key(desk, unit)
    stick, day = desk.settings.stick, today()
    name = bundle.folder_name("posts", day, secrets.token_hex(4))
    partial = stick / f"{_PARTIAL}{name}"
    partial.mkdir(mode=0o700)
    written, lost = [], 0
    for answer in waiting:
        try:
            document = read_answer(desk, answer.id).outgoing
        except AnswerLost:
            lost += 1
            continue
        write_new(partial / post.identity(document), document)
        written.append(answer.id)
    receipts = _write_receipts(partial, unit, key, owed)
    if not written and not receipts:
        return Exported(None, 0, lost=lost)
    items = tuple(bundle_item.describe(file) for file in sorted(partial.iterdir()))
    bundle.write_manifest(Bundle(partial, "posts", unit.id, day, items), key)
    desk.cabinet.posts.note_receipts(receipts)
    desk.cabinet.answers.leave(written)
    partial.rename(stick / name)
    sync_folder(stick)
    desk.cabinet.answers.mark_exported(written, day)
    return Exported(name, len(written), len(owed), lost)


def _write_receipts(
    partial: Path, unit: Unit, key: Ed25519PrivateKey, owed: dict[str, str]
) -> dict[str, list[str]]:
    """Put receipts into a bundle, as many to a post as fit. By post: the envelopes that it names."""
    ids, posts = sorted(owed), {}
    for start in range(0, len(ids), MOST_RECEIPTS):
        part = ids[start : start + MOST_RECEIPTS]
        document = post.sign_receipts(unit.id, today(), {one: owed[one] for one in part}, key)
        posts[post.identity(document)] = part
        write_new(partial / post.identity(document), document)
    return posts


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
    write_new(first, document)
    for one in envelopes:
        with desk.files.forwarded(one.id).open("rb") as source, new_file(partial / one.id) as copy:
            shutil.copyfileobj(source, copy, _CHUNK)
            sync_stream(copy)
    items = (bundle_item.describe(first), *(bundle_item.describe(partial / one.id) for one in envelopes))
    if [item.sha256 for item in items[1:]] != [one.sha256 for one in envelopes]:
        return False
    bundle.write_manifest(Bundle(partial, "forwards", unit.id, day, items), key)
    desk.cabinet.forwards.leave(forward.id)
    partial.rename(stick / name)
    sync_folder(stick)
    desk.cabinet.forwards.mark_exported(forward.id, day)
    return True


def _clear(stick: Path) -> None:
    """Remove what an export that was killed left. Only this desk makes folders of this name."""
    for folder in [*stick.glob(f"{_PARTIAL}posts-*"), *stick.glob(f"{_PARTIAL}forwards-*")]:
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
