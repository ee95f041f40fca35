"""Sealed replies: each goes into the first of its candidate slots that is free. Nobody here can tell whose it is."""

from flask import Blueprint, request
from werkzeug.exceptions import BadRequest

from common import outgoing
from common.canonical import NotCanonical
from common.days import today
from common.store.kept import NoFreeSlot
from journalist_interface.collection.context import here
from journalist_interface.collection.errors import Refused

NO_ROOM = "The disk here is full, so nothing was kept. Tell the operator, and deliver it again later."
NO_FREE_SLOT = "None of the places for this reply is free. Have the desk seal it again."

blueprint = Blueprint("replies", __name__, url_prefix="/v1/replies")


@blueprint.post("")
def posted() -> tuple[str, int]:
    """Keep a sealed reply. The same one again changes nothing."""
    try:
        reply = outgoing.load(request.get_data())
    except NotCanonical as error:
        raise BadRequest from error
    if here().store.blobs.free_bytes() < here().keep_free_bytes:
        raise Refused(503, NO_ROOM)
    try:
        here().store.post_reply(reply.candidates, reply.ciphertext, today())
    except NoFreeSlot as error:
        raise Refused(409, NO_FREE_SLOT) from error
    return "", 204
