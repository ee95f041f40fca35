"""Envelopes that one unit passes on to another: the only way in which a unit posts to another one.

    POST /v1/forwards               a slip, signed by the desk of the caller's unit: how much of it is here
    POST /v1/forwards/<id>?at=N     the next piece of the envelope: how much of it is here now

Responses say `at`, so that a line that broke goes on from there, and what came twice counts once. An envelope that is
whole and has the slip's SHA-256 lies in the inbox, with its slip, until the next settled hour. What a unit may post
until then is counted by what lies there, and by nothing else.
"""

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from common.canonical import NotCanonical
from common.envelope_id import is_envelope_id
from common.registry.registry import UnknownUnit
from common.signing import BadSignature
from common.store.inbox import MOST_FORWARDS
from common.transport import forwarding
from common.transport.forwarding import Slip
from journalist_interface.collection.errors import Refused
from journalist_interface.collection.posts import NOT_SIGNED, TOO_MANY, TOO_OLD, is_of_these_days
from journalist_interface.collection.services import calling_unit, services, the_unit

PREFIX = "/v1/forwards"

NO_SUCH_UNIT = "Nothing can be passed on to that unit: it is not enrolled. Have the desk choose another."
TOO_LARGE = "This is larger than a report can be, so it was not taken. Tell the operator."
ALTERED = "What arrived is not what the slip says. Have the desk export the report again."

blueprint = Blueprint("forwards", __name__, url_prefix=PREFIX)


@blueprint.post("")
def begun() -> Response:
    """Begin, or ask how far it went."""
    body = request.get_data()
    slip = _checked(body)
    inbox, unit = services().inbox, calling_unit()
    with services().delivering(unit):
        have = inbox.have(unit, slip.id)
        if inbox.slip(unit, slip.id) is None and inbox.usage(unit).forwards >= MOST_FORWARDS:
            raise Refused(429, TOO_MANY)
        _check_space(slip.size - have)
        return _at(inbox.begin(unit, slip.id, body))


@blueprint.post("/<envelope_id>")
def continued(envelope_id: str) -> Response:
    """The next piece; the last one makes the envelope one that the settlement takes in."""
    position = request.args.get("at", "")
    if not is_envelope_id(envelope_id) or not (
        position.isascii() and position.isdigit() and len(position) < 16
    ):
        raise BadRequest
    inbox, unit = services().inbox, calling_unit()
    with services().delivering(unit):
        body = inbox.slip(unit, envelope_id)
        if body is None:
            raise NotFound
        return _at(_continue(_checked(body), int(position), request.get_data()))


def _continue(slip: Slip, position: int, piece: bytes) -> int:
    """How many bytes are here, with the piece where it is the next one. Raises Refused or BadRequest."""
    inbox, unit = services().inbox, calling_unit()
    have = inbox.have(unit, slip.id)
    if inbox.is_whole(unit, slip.id) or position != have or not piece:
        return have
    if have + len(piece) > slip.size:
        raise BadRequest
    _check_space(len(piece))
    have = inbox.append(unit, slip.id, have, piece)
    if have == slip.size and not inbox.finish(unit, slip.id, slip.sha256):
        raise Refused(422, ALTERED)
    return have


def _checked(untrusted: bytes) -> Slip:
    """A slip that counts: of the caller's desk, of these days, for a unit that is enrolled. Raises Refused."""
    if len(untrusted) > forwarding.SLIP_BYTES:
        raise BadRequest
    try:
        slip = forwarding.read_slip(untrusted, the_unit().reply_key)
    except (BadSignature, UnknownUnit) as error:
        raise Refused(422, NOT_SIGNED) from error
    except NotCanonical as error:
        raise BadRequest from error
    if slip.by != calling_unit():
        raise Refused(422, NOT_SIGNED)
    if not is_of_these_days(slip.day):
        raise Refused(422, TOO_OLD)
    _check_target(slip)
    if slip.size > services().limits.largest_sealed_bytes:
        raise Refused(422, TOO_LARGE)
    return slip


def _check_target(slip: Slip) -> None:
    try:
        services().registry.current().recipient(slip.to)
    except UnknownUnit as error:
        raise Refused(422, NO_SUCH_UNIT) from error
    if slip.to == slip.by:
        raise Refused(422, NO_SUCH_UNIT)


def _check_space(wanted: int) -> None:
    """Whether so many more bytes keep within what the unit may leave here, and within the room. Raises Refused."""
    collection = services()
    usage = collection.inbox.usage(calling_unit())
    if usage.forward_bytes + wanted > collection.limits.largest_sealed_bytes:
        raise Refused(429, TOO_MANY)
    collection.check_room(wanted)


def _at(position: int) -> Response:
    return jsonify({"at": position})
