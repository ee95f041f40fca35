"""Envelopes: listed, downloaded, acknowledged. An id that is another unit's, unknown or none at all: one answer."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from common import canonical, parcel
from common.canonical import NotCanonical
from common.days import today
from common.store.blobs import is_blob_id
from journalist_interface.collection.context import calling_unit, here
from journalist_interface.collection.ranges import send_part

MOST_LISTED = 1000
MOST_ACKNOWLEDGED = 500
_PARCEL_BYTES = 16 * 1024 * 1024  # a parcel ends with the envelope that reaches it

blueprint = Blueprint("envelopes", __name__, url_prefix="/v1/envelopes")


@blueprint.get("")
def listed() -> Response:
    """Up to `most` waiting envelopes of the caller's unit whose id is greater than `after`, in order of id."""
    after = request.args.get("after", "")
    most = request.args.get("most", "100")
    if after and not is_blob_id(after):
        raise BadRequest
    if not (most.isascii() and most.isdigit() and len(most) <= 4 and 1 <= int(most) <= MOST_LISTED):
        raise BadRequest
    waiting = here().store.waiting(calling_unit(), after, int(most))
    return jsonify(
        {"envelopes": [{"id": one.id, "day": one.day.isoformat(), "size": one.size} for one in waiting]}
    )


@blueprint.get("/small")
def small() -> Response:
    """The waiting envelopes that are small, `from` an id on, in order of id, as a parcel (see common/parcel.py)."""
    begin = request.args.get("from", "")
    if not is_blob_id(begin):
        raise BadRequest
    before = f"{int(begin, 16) - 1:032x}" if int(begin, 16) else ""
    store = here().store
    found = store.waiting(calling_unit(), before, MOST_LISTED, no_larger_than=parcel.SMALL_BYTES)
    return Response(
        _parcel((one.id, store.blobs.path(one.id)) for one in found), mimetype="application/octet-stream"
    )


def _parcel(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    sent = 0
    for identity, file in files:
        try:
            with file.open("rb") as stream:
                content = stream.read(parcel.SMALL_BYTES)
        except FileNotFoundError:  # withdrawn a moment ago
            continue
        yield parcel.head(identity, len(content)) + content
        sent += len(content)
        if sent >= _PARCEL_BYTES:
            return


@blueprint.post("/collected")
def collected() -> tuple[str, int]:
    """The courier has these safely, each an id of `ids`. Saying so again changes nothing."""
    try:
        ids = canonical.listed(canonical.load(request.get_data()), "ids")
    except NotCanonical as error:
        raise BadRequest from error
    if len(ids) > MOST_ACKNOWLEDGED or not all(isinstance(one, str) and is_blob_id(one) for one in ids):
        raise BadRequest
    here().store.acknowledge(calling_unit(), ids, today())
    return "", 204


@blueprint.get("/<envelope_id>")
def sealed(envelope_id: str) -> Response:
    """The sealed bytes, or a range of them."""
    file = here().store.sealed_file(calling_unit(), envelope_id)
    if file is None:
        raise NotFound
    try:
        return send_part(file, request)
    except FileNotFoundError as error:  # withdrawn a moment ago
        raise NotFound from error
