"""Envelopes: listed, downloaded, acknowledged. An id that is another unit's, unknown or none at all: one 404."""

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from common.days import today
from common.store.blobs import is_blob_id
from journalist_interface.collection.context import calling_unit, here
from journalist_interface.collection.ranges import send_part

MOST_LISTED = 1000

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


@blueprint.post("/<envelope_id>/collected")
def collected(envelope_id: str) -> tuple[str, int]:
    """The courier has it safely. Saying so again changes nothing."""
    if not here().store.acknowledge(calling_unit(), envelope_id, today()):
        raise NotFound
    return "", 204
