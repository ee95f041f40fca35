"""What is within a sealed message is the sender's to choose. None of it is given to gpg."""

import bz2
import io
import itertools
import os
import subprocess
import time
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.gpg.keyring import end_agent
from common.gpg.opening import Opener, OpeningFailed
from common.gpg.opening.content import Inside
from common.gpg.opening.seal import Outside
from common.gpg.runner import gpg_environment, private_home
from common.gpg.sealing import Sealer
from tests import openpgp

pytestmark = pytest.mark.slow

SOON = 8  # seconds: a refusal takes a tenth of one; a busy machine is slower
MEBIBYTE = 1024 * 1024
PASSPHRASE = openpgp.by_passphrase() + openpgp.packet(openpgp.SEALED, b"\x01" + bytes(50))


@pytest.fixture(scope="module")
def recipient(unit_keys, tmp_path_factory):
    sealer = Sealer(tmp_path_factory.mktemp("hostile") / "home")
    sealed = sealer.seal_in_memory(b"x", [unit_keys.folder / "certificate.asc"])
    return openpgp.recipient(unit_keys.folder / "gnupg", sealed)


@pytest.fixture
def opener(unit_keys):
    return Opener(unit_keys.folder / "gnupg")


def opened(opener, message, most=10 * MEBIBYTE):
    out = bytearray()
    opener.open(io.BytesIO(message), out.extend, most)
    return bytes(out)


HOSTILE = {
    "a thousand session keys": lambda one: one.packet * 1000 + one.seal(openpgp.literal(b"x")),
    "what unpacks to a million session keys": lambda one: openpgp.bomb(one.packet, 1_000_000),
    "what unpacks twice to a million": lambda one: openpgp.compressed(openpgp.bomb(one.packet, 1_000_000)),
    "a second message": lambda one: one.seal(openpgp.literal(b"x")),
    "a compressed second message": lambda one: openpgp.compressed(one.seal(openpgp.literal(b"x"))),
    "a second message beside the words": lambda one: openpgp.literal(b"x") + one.seal(openpgp.literal(b"x")),
    "a passphrase": lambda _: PASSPHRASE,
    "a compressed passphrase": lambda _: openpgp.compressed(PASSPHRASE),
    "a million markers": lambda _: openpgp.bomb(openpgp.packet(openpgp.MARKER, b"PGP"), 1_000_000),
    "a packet to be passed over that is large": lambda _: openpgp.packet(openpgp.MARKER, bytes(70_000)),
    "compressed within compressed": lambda _: openpgp.compressed(openpgp.compressed(openpgp.literal(b"x"))),
    "two contents": lambda _: openpgp.literal(b"x") + openpgp.literal(b"y"),
    "two contents compressed": lambda _: openpgp.compressed(openpgp.literal(b"x") * 2),
    "a zlib bomb": lambda _: openpgp.compressed(openpgp.literal(bytes(100 * MEBIBYTE))),
    "a bzip2 bomb": lambda _: openpgp.compressed(
        b"", openpgp.BZIP2, bz2.compress(openpgp.literal(bytes(100 * MEBIBYTE)))
    ),
    "no content": lambda _: openpgp.packet(openpgp.MARKER, b"PGP"),
    "nothing": lambda _: b"",
    "nothing compressed": lambda _: openpgp.compressed(b""),
    "no packets": lambda _: b"just words",
    "a packet cut short": lambda _: openpgp.literal(b"words")[:-1],
    "a header cut short": lambda _: openpgp.packet(openpgp.LITERAL, b"b\x05na"),
    "no algorithm": lambda _: openpgp.packet(openpgp.COMPRESSED, b""),
    "compressed, and cut short": lambda _: openpgp.compressed(
        b"", content=zlib.compress(openpgp.literal(os.urandom(99)))[:-9]
    ),
    "compressed, and more": lambda _: openpgp.compressed(
        b"", content=zlib.compress(openpgp.literal(b"x")) + b"more"
    ),
    "compressed by bzip2, and more": lambda _: openpgp.compressed(
        b"", openpgp.BZIP2, bz2.compress(openpgp.literal(b"x")) + b"more"
    ),
    "compressed in no known way": lambda _: openpgp.compressed(b"", 9, openpgp.literal(b"x")),
    "compressed, and damaged": lambda _: openpgp.compressed(b"", content=b"\xff" * 99),
    "compressed by bzip2, and damaged": lambda _: openpgp.compressed(b"", openpgp.BZIP2, b"BZh9" + bytes(99)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_content_is_refused_at_once(opener, recipient, kind):
    message = recipient.seal(HOSTILE[kind](recipient))
    start = time.monotonic()
    with pytest.raises(OpeningFailed):
        opened(opener, message)
    assert time.monotonic() - start < SOON


def test_a_hostile_content_hands_out_little(opener, recipient):
    """What comes out before a bomb is refused is no more than was allowed."""
    out = bytearray()
    message = recipient.seal(HOSTILE["a zlib bomb"](recipient))
    with pytest.raises(OpeningFailed):
        opener.open(io.BytesIO(message), out.extend, 3 * MEBIBYTE)
    assert len(out) <= 3 * MEBIBYTE


@pytest.mark.parametrize("after", ["a message", "a passphrase", "words", "a byte", "a header cut short"])
def test_what_stands_after_the_message_is_not_given_to_gpg(opener, recipient, after):
    more = {
        "a message": recipient.seal(openpgp.literal(b"y")),
        "a passphrase": PASSPHRASE,
        "words": openpgp.literal(b"y"),
        "a byte": b"\0",
        "a header cut short": b"\xc1",
    }[after]
    with pytest.raises(OpeningFailed):
        opened(opener, recipient.seal(openpgp.literal(b"x")) + more)


def test_a_packet_after_the_message_ends_it_before_gpg_has_any_of_it(recipient):
    message, theirs = recipient.seal(openpgp.literal(b"x")), openpgp.literal(b"y")
    Outside(io.BytesIO(message))
    for more in (recipient.seal(theirs), PASSPHRASE, theirs):
        with pytest.raises(OpeningFailed):
            Outside(io.BytesIO(message + more))


@pytest.mark.parametrize("size", [0, 1, 511, 8192, 100_000, 3 * MEBIBYTE + 1])
def test_content_opens_however_it_is_packed(opener, recipient, size):
    content = os.urandom(size)
    words = openpgp.literal(content, name=b"n" * 255)
    raw = zlib.compressobj(wbits=-15)
    for packets in (
        words,
        openpgp.packet(openpgp.MARKER, b"PGP") + words,
        openpgp.compressed(words),
        openpgp.compressed(b"", 0, words),
        openpgp.compressed(b"", openpgp.ZIP, raw.compress(words) + raw.flush()),
        openpgp.compressed(b"", openpgp.BZIP2, bz2.compress(words)),
    ):
        assert opened(opener, recipient.seal(packets)) == content


def gpg(home, *arguments, stdin=b""):
    command = ["gpg", "--homedir", home, "--batch", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=True, env=gpg_environment()).stdout


@pytest.fixture(scope="module")
def sender(short_folder):
    """A GnuPG home with a key that signs."""
    home = private_home(short_folder() / "gnupg")
    gpg(home, "--passphrase", "", "--quick-gen-key", "a@b", "ed25519")
    yield home
    end_agent(home)


@pytest.mark.parametrize(
    "options",
    ["", "-z 9", "-z 0", "--sign", "--compress-algo zip", "--compress-algo bzip2", "--textmode"],
)
def test_what_gpg_writes_by_itself_opens(opener, unit_keys, sender, options):
    """GnuPG compresses unless it is told not to, and signs within what it seals."""
    options = [*options.split(), "-e", "--recipient-file", str(unit_keys.folder / "certificate.asc")]
    for words in (b"", b"a", b"words\n" * 20_000):
        made = gpg(sender, *options, stdin=words)
        assert opened(opener, made).replace(b"\r\n", b"\n") == words


@given(st.data())
def test_packets_are_read_alike_wherever_the_stream_is_cut(data):
    """gpg hands out pieces of any size, and a packet's header may be cut between two."""
    content = os.urandom(data.draw(st.sampled_from([0, 1, 191, 192, 8383, 8384, 20_000])))
    body = b"b\x02ab" + bytes(4) + content
    head = {
        "old": b"\xae" + len(body).to_bytes(4),
        "to the end": b"\xaf",
        "in parts": b"\xcb",
        "five octets": b"\xcb\xff" + len(body).to_bytes(4),
        "short": b"\xcb" + _shortest(len(body)),
    }
    form = data.draw(st.sampled_from(sorted(head)))
    whole = b"\xca\x03PGP" + head[form] + (_in_parts(body) if form == "in parts" else body)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    inside, out = Inside(100_000), bytearray()
    for begin, end in itertools.pairwise([0, *cuts, len(whole)]):
        for piece in inside.feed(whole[begin:end]):
            out += piece
    inside.close()
    assert bytes(out) == content


def _shortest(length):
    if length < 192:
        return bytes([length])
    if length < 8384:
        return bytes([192 + (length - 192 >> 8), length - 192 & 255])
    return b"\xff" + length.to_bytes(4)


def _in_parts(body):
    parts = b""
    while len(body) >= 512:
        parts, body = parts + b"\xe9" + body[:512], body[512:]
    return parts + _shortest(len(body)) + body


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_within_make_anything_but_a_refusal(content, cut):
    inside = Inside(1000)
    with suppress(OpeningFailed):
        for part in (content[:cut], content[cut:]):
            assert len(b"".join(inside.feed(part))) <= 1000
        inside.close()
