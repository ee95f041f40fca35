"""A secret does not slip out by being formatted, pickled or hashed."""

import copy
import json
import logging
import pickle
import traceback

import pytest

from common.secret import Secret

VALUE = b"only the codename opens this"


@pytest.fixture
def secret() -> Secret:
    return Secret(VALUE)


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        ascii,
        "{}".format,
        "{!r:>40}".format,
        lambda secret: f"{secret} {[secret]} {{'k': {secret!r}}}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  # the old way must not show it either
        lambda secret: repr(ValueError(secret)),
        lambda secret: logging.LogRecord("a", 30, "", 1, "%s", (secret,), None).getMessage(),
    ],
)
def test_a_secret_prints_as_nothing(secret, show):
    assert "codename" not in show(secret)
    assert "<secret>" in show(secret)


def test_a_traceback_shows_nothing(secret):
    try:
        raise ValueError(secret)
    except ValueError:
        assert "codename" not in traceback.format_exc()


@pytest.mark.parametrize("spread", [pickle.dumps, copy.copy, copy.deepcopy, hash, json.dumps, bytes, iter])
def test_a_secret_is_not_pickled_copied_hashed_or_turned_into_anything(secret, spread):
    with pytest.raises(TypeError):
        spread(secret)


def test_a_secret_cannot_be_given_more_than_its_bytes(secret):
    with pytest.raises(AttributeError):
        secret.note = "x"


def test_secrets_are_equal_when_their_bytes_are(secret):
    assert secret == Secret(VALUE)
    assert secret != Secret(VALUE + b"!")
    assert secret != VALUE
    assert len(secret) == len(VALUE)
    assert secret.reveal() == VALUE


def test_a_secret_keeps_its_own_copy():
    buffer = bytearray(VALUE)
    secret = Secret(buffer)  # type: ignore[arg-type]  # an untyped caller could
    buffer[:] = bytes(len(buffer))
    assert secret.reveal() == VALUE
