"""Envelopes, as they stood at the last settled hour: listed and downloaded.

What is not in the listing for the caller's unit is not here, whatever lies on the disk. An id that is another unit's,
unknown or none at all gets one response.
"""

from collections.abc import Iterable, Iterator

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from common.envelope_id import is_envelope_id
from common.store.outbox import Outbox
from common.transport import parcel
from journalist_interface.collection.errors import Refused
from journalist_interface.collection.ranges import send_part
from journalist_interface.collection.services import calling_unit, services

MOST_LISTED = 1000
_PARCEL_BYTES = 16 * 1024 * 1024  # a parcel ends with the envelope that reaches it

NOT_SETTLED = "Nothing has been settled here yet. Collect again after the next settled hour."

blueprint = Blueprint("envelopes", __name__, url_prefix="/v1/envelopes")


@blueprint.get("")
def listed() -> Response:
    """Up to `most` listed envelopes of the caller's unit whose id is greater than `after`, in order of id."""
    after = request.args.get("after", "")
    most = request.args.get("most", "100")
    if after and not is_envelope_id(after):
        raise BadRequest
    if not (most.isascii() and most.isdigit() and len(most) <= 4 and 1 <= int(most) <= MOST_LISTED):
        raise BadRequest
    outbox = services().outbox
    settled = outbox.settled_hour()
    if settled is None:
        raise Refused(503, NOT_SETTLED)
    found = outbox.waiting(calling_unit(), after, int(most))
    envelopes = [{"id": one.id, "day": one.day.isoformat(), "size": one.size} for one in found]
    return jsonify({"settled": settled, "envelopes": envelopes})


@blueprint.get("/small")
def small() -> Response:
    """The listed envelopes that are small, `from` an id on, in order of id, as a parcel (see
    common/transport/parcel.py)."""
    begin = request.args.get("from", "")
    if not is_envelope_id(begin):
        raise BadRequest
    before = f"{int(begin, 16) - 1:032x}" if int(begin, 16) else ""
    outbox, unit = services().outbox, calling_unit()
    found = outbox.waiting(unit, before, MOST_LISTED, no_larger_than=parcel.SMALL_BYTES)
    return Response(_parcel(outbox, unit, [one.id for one in found]), mimetype="application/octet-stream")


def _parcel(outbox: Outbox, unit: str, ids: Iterable[str]) -> Iterator[bytes]:
    sent = 0
    for identity in ids:
        try:
            envelope = outbox.open(unit, identity)
        except FileNotFoundError:  # the next settlement is under way
            continue
        if envelope is None:  # a settlement came in between
            continue
        with envelope:
            content = envelope.read(parcel.SMALL_BYTES)
        yield parcel.head(identity, len(content)) + content
        sent += len(content)
        if sent >= _PARCEL_BYTES:
            return


@blueprint.get("/<envelope_id>")
def sealed(envelope_id: str) -> Response:
    """The sealed bytes, or a range of them."""
    try:
        envelope = services().outbox.open(calling_unit(), envelope_id)
    except FileNotFoundError as error:  # the next settlement is under way
        raise NotFound from error
    if envelope is None:
        raise NotFound
    return send_part(envelope, request)
