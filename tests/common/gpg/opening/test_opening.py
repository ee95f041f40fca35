"""Opening: what is not whole, not sealed, or not for us does not open."""

import io
import os
import subprocess
import time

import pytest

from common.gpg.opening import Opener, OpeningFailed
from common.gpg.runner import gpg_environment
from common.gpg.sealing import Sealer

CONTENT = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def sealed(unit_keys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sealed")
    recipients = [unit_keys.folder / "certificate.asc"]
    Sealer(folder / "home").seal(io.BytesIO(CONTENT), recipients, folder / "sealed")
    return folder / "sealed"


@pytest.fixture
def opener(unit_keys):
    return Opener(unit_keys.folder / "gnupg")


def opened(opener, source, **limits):
    out = bytearray()
    opener.open(io.BytesIO(source) if isinstance(source, bytes) else source, out.extend, **limits)
    return bytes(out)


def gpg(home, *arguments, stdin):
    command = ["gpg", "--homedir", home, "--batch", "--trust-model", "always", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=True, env=gpg_environment()).stdout


def test_a_sealed_file_or_stream_opens(opener, sealed):
    assert opened(opener, sealed) == CONTENT
    assert opened(opener, sealed.read_bytes()) == CONTENT


def test_another_units_key_does_not_open_it(other_unit_keys, sealed):
    with pytest.raises(OpeningFailed, match="not sealed to a key that is here"):
        opened(Opener(other_unit_keys.folder / "gnupg"), sealed)


@pytest.mark.parametrize("junk", [b"", b"junk", b"\0" * 1000, b"PK\x03\x04", os.urandom(5000)], ids=range(5))
def test_junk_does_not_open(opener, junk):
    with pytest.raises(OpeningFailed):
        opened(opener, junk)


def test_a_message_cut_short_does_not_open(opener, sealed):
    whole = sealed.read_bytes()
    for length in (1, 50, 200, len(whole) // 2, len(whole) - 22, len(whole) - 1):
        with pytest.raises(OpeningFailed):
            opened(opener, whole[:length])


def test_a_flipped_bit_does_not_open(opener, sealed):
    whole = sealed.read_bytes()
    for at in (5, 60, 150, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        altered = bytearray(whole)
        altered[at] ^= 1
        with pytest.raises(OpeningFailed):
            opened(opener, bytes(altered))


def test_two_messages_in_a_row_do_not_open_as_one(opener, sealed):
    with pytest.raises(OpeningFailed):
        opened(opener, sealed.read_bytes() * 2)


def test_more_than_the_most_is_refused(opener, sealed):
    assert opened(opener, sealed, most=len(CONTENT) + 100_000) == CONTENT
    with pytest.raises(OpeningFailed):
        opened(opener, sealed, most=len(CONTENT) // 2)


def test_a_foreign_message_that_is_a_bomb_stops_at_the_most(opener, unit_keys):
    """Someone may seal to the published certificate with compression: 200 MB in 200 KB."""
    bomb = gpg(
        unit_keys.folder / "gnupg",
        *("-z", "9", "--compress-algo", "zlib", "--encrypt", "-r", unit_keys.unit.fingerprint),
        stdin=bytes(200_000_000),
    )
    assert len(bomb) < 1_000_000
    taken = 0

    def take(chunk):
        nonlocal taken
        taken += len(chunk)

    with pytest.raises(OpeningFailed):
        opener.open(io.BytesIO(bomb), take, most=5_000_000)
    assert taken <= 10_000_000


def test_a_message_that_anyone_with_gpg_sealed_opens(opener, unit_keys):
    home = unit_keys.folder / "gnupg"
    for options in ((), ("-z", "9")):
        foreign = gpg(home, *options, "--encrypt", "-r", unit_keys.unit.fingerprint, stdin=b"by hand" * 1000)
        assert opened(opener, foreign) == b"by hand" * 1000


def test_a_message_under_a_passphrase_does_not_open_and_asks_nobody(opener, unit_keys):
    symmetric = gpg(
        unit_keys.folder / "gnupg",
        *("--pinentry-mode", "loopback", "--passphrase", "x", "--symmetric"),
        stdin=b"content",
    )
    start = time.monotonic()
    with pytest.raises(OpeningFailed):
        opened(opener, symmetric)
    assert time.monotonic() - start < 20


def test_a_message_that_is_not_sealed_at_all_does_not_open(opener, unit_keys):
    stored = gpg(unit_keys.folder / "gnupg", "--store", stdin=b"readable by anyone")
    with pytest.raises(OpeningFailed):
        opened(opener, stored)


def test_what_the_taker_raises_comes_out_and_ends_the_taking(opener, sealed):
    calls = []

    def take(chunk):
        calls.append(len(chunk))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        opener.open(sealed, take)
    assert len(calls) == 1


def test_a_failure_says_why_and_shows_nothing_of_gpgs(opener):
    with pytest.raises(OpeningFailed) as failure:
        opened(opener, b"junk")
    assert str(failure.value) == "It is not a sealed message."
