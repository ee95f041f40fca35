"""Envelopes that one unit passes on to another: the only way in which a unit posts to another one.

    POST /v1/forwards               a slip, signed by the desk of the caller's unit: how much of it is here
    POST /v1/forwards/<id>?at=N     the next piece of the envelope: how much of it is here now

Answers say `at`, so that a line that broke goes on from there, and what came twice counts once. An envelope is kept
when it is whole and has the slip's SHA-256. Its row names the unit that it is for, and nobody that it is from: who
posts how much is counted in memory, for the day, and forgotten. A restart so begins the count anew.
"""

import hashlib
import os
import threading
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from flask import Blueprint, Response, current_app, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from common import forwarding
from common.canonical import NotCanonical
from common.config import Limits
from common.days import today
from common.forwarding import Slip
from common.registry import UnknownUnit
from common.signing import BadSignature
from common.store.blobs import blur_times, is_blob_id
from journalist_interface.collection.context import calling_unit, here
from journalist_interface.collection.errors import Refused

EXTENSION = "candour-forwards"
PREFIX = "/v1/forwards"
MOST_A_DAY = 200  # envelopes that one unit may post to others
_MOST_BYTES_A_DAY = 4  # times the largest report
_OLDEST = timedelta(days=60)  # a slip counts no longer
_AHEAD = timedelta(days=2)

NOT_SIGNED = (
    "This slip is not signed by the desk of this courier's unit. Have the desk export the report again."
)
TOO_OLD = "This slip is too old, or from a day to come. Have the desk export the report again."
NO_SUCH_UNIT = "Nothing can be passed on to that unit: it is not enrolled. Have the desk choose another."
TOO_LARGE = "This is larger than a report can be, so it was not taken. Tell the operator."
TOO_MANY = "This unit has passed on as much as it may in a day. Deliver the rest tomorrow; nothing is lost."
NO_ROOM = "The disk here is nearly full, so nothing was taken. Tell the operator, and deliver again later."
ALTERED = "What arrived is not what the slip says. Have the desk export the report again."

blueprint = Blueprint("forwards", __name__, url_prefix=PREFIX)


@dataclass
class _Upload:
    slip: Slip
    part: Path
    lock: threading.Lock = field(default_factory=threading.Lock)


class Incoming:
    """What is being forwarded, and how much each unit has forwarded today. In memory alone, for one process."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.largest = (
            limits.max_report_bytes + limits.max_report_bytes // 8 + 1024 * 1024
        )  # padded and sealed
        self._lock = threading.Lock()
        self._uploads: dict[tuple[str, str], _Upload] = {}
        self._day = date.min
        self._taken: dict[str, dict[str, int]] = {}  # unit -> digest of a slip -> bytes

    def begin(self, slip: Slip, digest: str, part: Path, day: date) -> None:
        """Note that a unit posts an envelope. The same one again is not counted again. Raises Refused."""
        with self._lock:
            if day != self._day:
                self._day, self._taken, self._uploads = day, {}, {}
            taken = self._taken.setdefault(slip.by, {})
            if digest not in taken:
                most = _MOST_BYTES_A_DAY * self.limits.max_report_bytes
                if len(taken) >= MOST_A_DAY or sum(taken.values()) + slip.size > most:
                    raise Refused(429, TOO_MANY)
                taken[digest] = slip.size
            self._uploads.setdefault((slip.by, slip.id), _Upload(slip, part))

    def upload(self, unit: str, envelope_id: str) -> _Upload | None:
        """What a unit has begun to post."""
        with self._lock:
            return self._uploads.get((unit, envelope_id))

    def forget(self, slip: Slip) -> None:
        """It is over."""
        with self._lock:
            self._uploads.pop((slip.by, slip.id), None)


@blueprint.post("")
def begun() -> Response:
    """Begin, or ask how far it went."""
    body = request.get_data()
    slip = _checked(body)
    if here().store.was_forwarded(slip.id, slip.to):
        return _at(slip.size)
    # Of the slip and not of the id: another unit's slip of the same id is another envelope.
    digest = hashlib.sha256(body).hexdigest()[:32]
    part = here().store.blobs.forwarded_part(digest)
    _check_room(slip.size - _have(part))
    _incoming().begin(slip, digest, part, today())
    return _at(_have(part))


@blueprint.post("/<envelope_id>")
def continued(envelope_id: str) -> Response:
    """The next piece; the last one keeps the envelope."""
    position = request.args.get("at", "")
    if not is_blob_id(envelope_id) or not (position.isascii() and position.isdigit() and len(position) < 16):
        raise BadRequest
    upload = _incoming().upload(calling_unit(), envelope_id)
    if upload is None:
        raise NotFound
    slip, piece = upload.slip, request.get_data()
    with upload.lock:
        if here().store.was_forwarded(slip.id, slip.to):
            return _at(slip.size)
        have = _have(upload.part)
        if int(position) != have or not piece:
            return _at(have)
        if have + len(piece) > slip.size:
            raise BadRequest
        _check_room(len(piece))
        _append(upload.part, have, piece)
        if have + len(piece) == slip.size:
            _keep(upload)
        return _at(have + len(piece))


def _checked(untrusted: bytes) -> Slip:
    """A slip that counts: of the caller's desk, of these days, for a unit that is enrolled. Raises Refused."""
    registry = here().registry.current()
    try:
        slip = forwarding.read_slip(untrusted, registry.unit(calling_unit()).reply_key)
    except (BadSignature, UnknownUnit) as error:
        raise Refused(422, NOT_SIGNED) from error
    except NotCanonical as error:
        raise BadRequest from error
    if slip.by != calling_unit():
        raise Refused(422, NOT_SIGNED)
    if not today() - _OLDEST <= slip.day <= today() + _AHEAD:
        raise Refused(422, TOO_OLD)
    _check_target(slip)
    if slip.size > _incoming().largest:
        raise Refused(422, TOO_LARGE)
    return slip


def _check_target(slip: Slip) -> None:
    try:
        here().registry.current().recipient(slip.to)
    except UnknownUnit as error:
        raise Refused(422, NO_SUCH_UNIT) from error
    if slip.to == slip.by:
        raise Refused(422, NO_SUCH_UNIT)


def _check_room(wanted: int) -> None:
    if here().store.blobs.free_bytes() - wanted < _incoming().limits.keep_free_bytes:
        raise Refused(507, NO_ROOM)


def _append(part: Path, have: int, piece: bytes) -> None:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.seek(have)
        stream.write(piece)
    blur_times(part, today())


def _keep(upload: _Upload) -> None:
    """The envelope is here to its last byte: keep it if it is what the slip says. Raises Refused."""
    slip = upload.slip
    _check_target(slip)  # suspended since it began, perhaps
    with upload.part.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != slip.sha256 or not here().store.accept_forwarded(
        upload.part, slip.id, slip.to, slip.size, today()
    ):
        upload.part.unlink(missing_ok=True)
        raise Refused(422, ALTERED)
    _incoming().forget(slip)


def _have(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _at(position: int) -> Response:
    return jsonify({"at": position})


def _incoming() -> Incoming:
    incoming: Incoming = current_app.extensions[EXTENSION]
    return incoming
