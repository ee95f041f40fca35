"""Only a courier that the registry enrols is let in, once for each request it signs."""

import os
import signal
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journalist_interface.collection.app import create_app
from journalist_interface.collection.freshness import REPLAYED, SIGN_AGAIN, WRONG_TIME
from journalist_interface.collection.signatures import DOES_NOT_HOLD, UNSIGNED

pytestmark = pytest.mark.slow

LIST = "/v1/envelopes"


def refused(answer, sentence):
    assert answer.status_code == 401
    assert answer.json()["error"] == sentence
    return True


@pytest.mark.parametrize("path", [LIST, "/", "/v1/envelopes/" + "0" * 32, "/nowhere"])
def test_an_unsigned_request_is_refused_wherever_it_goes(north, path):
    assert refused(north.send(north.prepare("GET", path)), UNSIGNED)


def test_a_signed_request_is_answered(north):
    assert north.ask("GET", LIST).json()["envelopes"] == []


def test_a_key_that_is_not_enrolled_is_refused(north):
    north.learn_mark()
    north.key = Ed25519PrivateKey.generate()
    assert refused(north.send(north.sign(north.prepare("GET", LIST))), DOES_NOT_HOLD)


def test_an_unknown_key_id_gets_the_same_answer_as_a_wrong_key(north):
    north.learn_mark()
    assert refused(north.send(north.sign(north.prepare("GET", LIST), key_id="nobody")), DOES_NOT_HOLD)


def test_one_unit_s_key_does_not_pass_under_another_s_id(north, call):
    north.learn_mark()
    assert refused(north.send(north.sign(north.prepare("GET", LIST), key_id="south-courier")), DOES_NOT_HOLD)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", f"{LIST}?most=5"), ("GET", f"{LIST}?most=6"), ("GET", LIST), ("GET", f"{LIST}/?most=5")],
)
def test_a_signature_does_not_pass_for_another_request(north, method, path):
    north.learn_mark()
    signed = north.sign(north.prepare("GET", f"{LIST}?most=5"))
    other = north.prepare(method, path)
    other.headers.update(signed.headers)
    assert refused(north.send(other), DOES_NOT_HOLD)


def test_a_signature_does_not_pass_for_another_host(north):
    north.learn_mark()
    signed = north.sign(north.prepare("GET", LIST))
    signed.headers["Host"] = "elsewhere.onion"
    assert refused(north.send(signed), DOES_NOT_HOLD)


def test_a_signature_does_not_pass_for_another_body(north):
    north.learn_mark()
    signed = north.sign(north.prepare("POST", "/v1/posts", b"one"))
    signed.body = b"two"
    assert refused(north.send(signed), DOES_NOT_HOLD)


def test_a_body_that_the_signature_does_not_cover_is_refused(north):
    north.learn_mark()
    signed = north.sign(north.prepare("POST", "/v1/posts", b"one"), body=None)
    assert refused(north.send(signed), DOES_NOT_HOLD)


@pytest.mark.parametrize("missing", ["@method", "@authority", "@path", "@query"])
def test_every_component_must_be_covered(north, missing):
    north.learn_mark()
    covered = [name for name in ("@method", "@authority", "@path", "@query") if name != missing]
    request = north.prepare("GET", f"{LIST}?most=5")
    assert refused(north.send(north.sign(request, covered_component_ids=covered)), DOES_NOT_HOLD)


@pytest.mark.parametrize("changed", [{"tag": "something-else"}, {"tag": None}, {"nonce": None}])
def test_tag_and_nonce_must_be_there(north, changed):
    north.learn_mark()
    assert refused(north.send(north.sign(north.prepare("GET", LIST), **changed)), DOES_NOT_HOLD)


def test_a_short_nonce_is_refused(north):
    assert north.send(north.sign(north.prepare("GET", LIST), nonce="short")).status_code == 401


def test_a_request_that_comes_a_second_time_is_refused(north):
    north.learn_mark()
    signed = north.sign(north.prepare("GET", LIST))
    assert north.send(signed).status_code == 200
    assert refused(north.send(signed), REPLAYED)


@pytest.mark.parametrize("seconds", [-310, -86400 * 365 * 30, 70, 86400])
def test_a_clock_that_is_wrong_is_told_so_and_nothing_else(north, seconds):
    north.learn_mark()
    created = datetime.now(UTC) + timedelta(seconds=seconds)
    answer = north.send(north.sign(north.prepare("GET", LIST), created=created))
    assert refused(answer, WRONG_TIME)
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("seconds", [-290, 50])
def test_a_clock_that_is_nearly_right_is_let_in(north, seconds):
    north.learn_mark()
    created = datetime.now(UTC) + timedelta(seconds=seconds)
    assert north.send(north.sign(north.prepare("GET", LIST), created=created)).status_code == 200


def test_a_signature_past_its_own_expiry_is_refused(north):
    north.learn_mark()
    past = datetime.now(UTC) - timedelta(seconds=2)
    assert refused(north.send(north.sign(north.prepare("GET", LIST), expires=past)), WRONG_TIME)


def test_a_stranger_is_not_told_what_the_clock_says(north):
    north.learn_mark()
    north.key = Ed25519PrivateKey.generate()
    created = datetime.now(UTC) + timedelta(days=1)
    assert refused(north.send(north.sign(north.prepare("GET", LIST), created=created)), DOES_NOT_HOLD)


def test_a_collection_that_has_just_started_asks_to_sign_again(north):
    answer = north.send(north.sign(north.prepare("GET", LIST)))
    assert refused(answer, SIGN_AGAIN)
    again = north.sign(north.prepare("GET", LIST), nonce=answer.json()["nonce"] + "0" * 32)
    assert north.send(again).status_code == 200


def test_a_stranger_is_not_told_the_start_mark(north):
    north.key = Ed25519PrivateKey.generate()
    assert "nonce" not in north.send(north.sign(north.prepare("GET", LIST))).json()


@pytest.mark.parametrize("ahead", [0, 55])
def test_what_was_accepted_before_a_restart_is_refused_after_it(gunicorn, call, ahead):
    caller = call("north", gunicorn.address)
    caller.learn_mark()
    created = datetime.now(UTC) + timedelta(seconds=ahead)
    accepted = caller.sign(caller.prepare("GET", LIST), created=created)
    assert caller.send(accepted).status_code == 200
    os.kill(gunicorn.worker(), signal.SIGKILL)  # gunicorn starts another
    caller.session.close()
    assert refused(caller.send(accepted), SIGN_AGAIN)


_HEADER = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
    st.text(st.sampled_from('sig1=:;,()"@-*? '), max_size=60),
    st.sampled_from(
        [
            'a=("@method" "@authority" "@path");created=1;keyid="north-courier";tag="candour-courier";nonce="x"',
            'a=("@method";x);created=99999999999999;keyid="north-courier";tag="candour-courier"',
            "a=:AAAA:",
            "a=:" + "A" * 86 + "==:",
            'a=("content-digest";key="sha-256");created=1;keyid="north-courier";tag="candour-courier"',
        ]
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(signed_input=_HEADER, signature=_HEADER, digest=_HEADER)
def test_no_garbled_signature_is_let_in_or_makes_it_stumble(world, signed_input, signature, digest):
    app = create_app(world.config)
    headers = {"Signature-Input": signed_input, "Signature": signature, "Content-Digest": digest}
    answer = app.test_client().post("/v1/posts?x", data=b"body", headers=headers)
    app.extensions["candour"].outbox.close()
    assert answer.status_code == 401
