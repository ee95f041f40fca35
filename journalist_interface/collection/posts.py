"""Posts: answers and receipts, each signed by the desk of the caller's unit. They lie in the inbox until the next
settled hour; nothing is put anywhere before, and nobody here can tell whose an answer is.
"""

from datetime import date

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest

from common.canonical import NotCanonical
from common.days import today
from common.registry.registry import UnknownUnit
from common.signing import BadSignature
from common.store.inbox import AHEAD, MOST_POSTS, OLDEST
from common.transport import post
from journalist_interface.collection.errors import Refused
from journalist_interface.collection.services import calling_unit, services, the_unit

NOT_SIGNED = (
    "This is not signed by the desk of this courier's unit. Have the desk export it again, and carry it by the "
    "courier of the same unit."
)
TOO_OLD = (
    "This is too old, or from a day to come. See that the desk's clock is right, and have it seal this again."
)
TOO_MANY = (
    "This unit has delivered as much as it may until the next settled hour. Nothing is lost: deliver the rest "
    "after that hour."
)

blueprint = Blueprint("posts", __name__, url_prefix="/v1")


@blueprint.post("/posts")
def posted() -> tuple[str, int]:
    """Keep a post until the next settled hour. The same one again changes nothing."""
    document = request.get_data()
    _check(document)
    collection, unit = services(), calling_unit()
    with collection.delivering(unit):
        if not collection.inbox.has_post(unit, document):
            if collection.inbox.usage(unit).posts >= MOST_POSTS:
                raise Refused(429, TOO_MANY)
            collection.check_room(len(document))
            collection.inbox.put_post(unit, document)
    return "", 204


@blueprint.get("/returned")
def returned() -> Response:
    """What this unit posted in the last 30 days and was not taken, and why. Of what was taken nothing is known."""
    found = services().outbox.returned(calling_unit())
    return jsonify({"returned": [{"post": one.post, "why": one.why} for one in found]})


def is_of_these_days(day: date) -> bool:
    """Whether what was signed on a day still counts, and is not from a day that is well to come."""
    return today() - OLDEST <= day <= today() + AHEAD


def _check(untrusted: bytes) -> None:
    """A post that counts: of the caller's desk, of these days. Raises Refused or BadRequest."""
    try:
        said = post.read(untrusted, the_unit().reply_key)
    except (BadSignature, UnknownUnit) as error:
        raise Refused(422, NOT_SIGNED) from error
    except NotCanonical as error:
        raise BadRequest from error
    if said.unit != calling_unit():
        raise Refused(422, NOT_SIGNED)
    if not is_of_these_days(said.day):
        raise Refused(422, TOO_OLD)
