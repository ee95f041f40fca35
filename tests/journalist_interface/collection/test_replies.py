"""A sealed reply takes the first free of its candidate slots."""

import secrets

import pytest

from common import outgoing
from common.outgoing import OutgoingReply
from common.store.blobs import BlobFolder

REPLIES = "/v1/replies"


def test_a_reply_takes_the_first_slot_that_is_free(world, north):
    reply = world.new_reply()
    first = OutgoingReply(reply.candidates, secrets.token_bytes(len(reply.ciphertext)))
    assert north.ask("POST", REPLIES, outgoing.dump(first)).status_code == 204
    assert north.ask("POST", REPLIES, outgoing.dump(reply)).status_code == 204
    assert world.replies_under(reply) == {
        reply.candidates[0]: first.ciphertext,
        reply.candidates[1]: reply.ciphertext,
    }


def test_the_same_reply_twice_is_kept_once(world, north):
    reply = world.new_reply()
    for _ in range(2):
        assert north.ask("POST", REPLIES, outgoing.dump(reply)).status_code == 204
    assert list(world.replies_under(reply).values()) == [reply.ciphertext]


def test_a_reply_without_a_free_slot_is_refused_and_takes_nobody_s_place(world, north):
    reply = world.new_reply()
    world.fill(reply)
    before = world.replies_under(reply)
    answer = north.ask("POST", REPLIES, outgoing.dump(reply))
    assert answer.status_code == 409
    assert "seal it again" in answer.json()["error"]
    assert world.replies_under(reply) == before


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b"[]", b'{"candidates":[],"ciphertext":""}'])
def test_what_is_not_a_reply_is_refused(north, body):
    assert north.ask("POST", REPLIES, body).status_code == 400


def test_a_body_that_is_too_large_is_refused(north):
    assert north.ask("POST", REPLIES, b"x" * outgoing.MOST_BYTES).status_code == 400
    assert north.ask("POST", REPLIES, b"x" * (outgoing.MOST_BYTES + 1)).status_code == 413


def test_a_body_without_a_length_is_bounded_too(gunicorn, call):
    caller = call("north", gunicorn.address)
    sent = 0

    def endless():
        nonlocal sent
        while sent < 64 * 1024 * 1024:
            sent += 65536
            yield b"x" * 65536

    request = caller.prepare("POST", REPLIES)
    request.headers.update(
        {"Transfer-Encoding": "chunked", "Signature": "a=:AA==:", "Signature-Input": "a=()"}
    )
    request.headers.pop("Content-Length", None)
    request.body = endless()
    try:
        status = caller.send(request).status_code
    except OSError:  # the collection hung up before it was through
        status = 413
    assert status == 413
    assert sent < 64 * 1024 * 1024


def test_a_full_disk_takes_no_reply_and_says_so(world, north, monkeypatch):
    reply = world.new_reply()
    with monkeypatch.context() as full:
        full.setattr(BlobFolder, "free_bytes", lambda _: 1024 * 1024)
        answer = north.ask("POST", REPLIES, outgoing.dump(reply))
    assert answer.status_code == 503
    assert "deliver it again later" in answer.json()["error"]
    assert world.replies_under(reply) == {}
    assert north.ask("POST", REPLIES, outgoing.dump(reply)).status_code == 204
