"""What a hostile sender puts into a text as sealed by hand asks the reviewer for nothing and does not keep gpg busy."""

import base64
import subprocess

import pytest

from common.gpg import gpg_environment, private_home
from journalist_interface.desk import packets
from journalist_interface.desk.handsealed import open_by_hand
from journalist_interface.desk.importing import import_all
from journalist_interface.desk.opening import CannotOpen, open_envelope


def gpg(world, *options, content=b"words"):
    """What gpg makes of the content, in a home of the sender's own."""
    home = private_home(world.folder.parent / "sender")
    ask_nobody = ["--batch", "--pinentry-mode", "loopback", "--passphrase", "x"]
    return subprocess.run(
        ["gpg", "--homedir", home, *ask_nobody, *options],
        input=content,
        capture_output=True,
        check=True,
        env=gpg_environment(),
    ).stdout


def sealed(world, content=b"words"):
    """To this unit's certificate."""
    return world.seal_bytes([content]).read_bytes()


@pytest.fixture
def asked(world):
    """What the desk's pinentry has been asked so far; it answers nothing."""
    log, home = world.folder.parent / "asked", world.desk().settings.gnupg
    pinentry = world.folder.parent / "pinentry"
    pinentry.write_text(
        '#!/bin/sh\necho OK\nwhile read -r line; do echo "$line" >> '
        f"'{log}'; case $line in GETPIN*) echo 'ERR 83886179 cancelled';; *) echo OK;; esac; done\n"
    )
    pinentry.chmod(0o700)
    settings = home / "gpg-agent.conf"
    settings.write_text(f"pinentry-program {pinentry}\n")
    stop = ["gpgconf", "--homedir", home, "--kill", "gpg-agent"]
    subprocess.run(stop, check=True, env=gpg_environment())
    yield lambda: log.read_text() if log.exists() else ""
    settings.unlink()
    subprocess.run(stop, check=True, env=gpg_environment())


def test_nobody_at_the_desk_is_asked_for_a_passphrase_of_the_sender_s_making(world, asked):
    by_passphrase = gpg(world, "-c")
    for untrusted in (by_passphrase, gpg(world, "-c", "--armor")):
        shown = open_by_hand(world.desk().opener, untrusted)
        assert shown.text is None
        assert "sealed with a passphrase" in shown.problem
    inside = open_by_hand(world.desk().opener, sealed(world, by_passphrase))
    hidden = open_by_hand(world.desk().opener, sealed(world)[:-1] + by_passphrase)
    assert inside.text is None
    assert hidden.text is None
    assert asked() == ""


def test_an_envelope_of_a_hostile_server_asks_the_reviewer_for_nothing(world, asked):
    envelope = world.folder.parent / ("a" * 32)
    envelope.write_bytes(gpg(world, "-c"))
    world.bundle(envelope)
    desk = world.desk()
    import_all(desk)
    assert asked() == ""
    with pytest.raises(CannotOpen, match="not a sealed message"):
        open_envelope(desk, envelope.name, 10_000)
    assert asked() == ""


def test_a_message_to_more_keys_than_people_have_is_not_tried(world):
    one = world.seal_bytes([b"words"], world.house.other.certificate).read_bytes()
    _, _, end = packets._header(one, 0)
    for many, sentence in ((32, "not sealed to a key that is here"), (33, "more than 32 keys")):
        shown = open_by_hand(world.desk().opener, one[:end] * many + one[end:])
        assert shown.text is None
        assert sentence in shown.problem


def test_what_is_not_sealed_is_not_shown_as_if_it_were(world):
    for untrusted in (
        gpg(world, "--store"),
        gpg(world, "--store", "--armor"),
        b"",
        b"words",
        b"\x80",
        b"\xff" * 9,
    ):
        assert "It is not a sealed message" in open_by_hand(world.desk().opener, untrusted).problem


@pytest.mark.parametrize("length", [0, 1, 100, 191, 192, 8383, 8384, 100_000])
def test_packets_of_any_length_are_passed_over(length):
    """Padding (RFC 9580, 5.14) before a session key and the data."""
    old = b"\xa8" if length < 256 else b"\xa9" if length < 65536 else b"\xaa"
    octets = {b"\xa8": 1, b"\xa9": 2, b"\xaa": 4}[old]
    if length < 192:
        new = bytes([length])
    elif length < 8384:
        new = bytes([192 + (length - 192 >> 8), length - 192 & 255])
    else:
        new = b"\xff" + length.to_bytes(4)
    rest = b"\xc1\x01k\xd2\x01d"
    for head in (old + length.to_bytes(octets), b"\xd5" + new):
        if length:
            packets.check(head + bytes(length) + rest)
            with pytest.raises(packets.NotOpenedHere):
                packets.check(head + bytes(length) + rest[3:])  # data without a key


def test_armour_is_taken_off_whatever_heads_it():
    body = base64.b64encode(b"packets of a message")
    for head in (b"", b"\n", b"Version: 1\nComment: a: b\n\n"):
        armoured = b"-----BEGIN PGP MESSAGE-----\n" + head + body + b"\n=AbCd\n-----END PGP MESSAGE-----\n"
        assert packets.without_armour(b"before\n" + armoured) == b"packets of a message"
    assert packets.without_armour(b"\x85binary") == b"\x85binary"
