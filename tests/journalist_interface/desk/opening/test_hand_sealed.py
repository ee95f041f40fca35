"""What a hostile sender puts into a text as sealed by hand is opened on request, asks for nothing and ends soon."""

import base64
import re
import subprocess
import time

import pytest

from common.gpg.opening import Opener
from common.gpg.runner import gpg_environment, private_home
from journalist_interface.desk.opening.hand_sealed import open_by_hand, without_armour
from journalist_interface.desk.opening.inspection import CannotOpen, open_envelope
from journalist_interface.desk.stick.bundle_import import import_all
from tests import openpgp
from tests.pinentry import pinentry

pytestmark = pytest.mark.slow

SOON = 10  # seconds: a refusal takes a tenth of one; a busy machine is slower


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
    """How often the desk's pinentry was asked for something so far; it answers nothing."""
    with pinentry(world.desk().settings.gnupg, world.folder.parent) as count:
        yield count


def recipient(world):
    """The unit's key, as a sender who builds messages byte by byte seals to it."""
    return openpgp.recipient(world.desk().settings.gnupg, sealed(world))


def armoured(message):
    body = base64.encodebytes(message).decode()
    return f"-----BEGIN PGP MESSAGE-----\n\n{body}-----END PGP MESSAGE-----"


def test_nobody_at_the_desk_is_asked_for_a_passphrase_of_the_sender_s_making(world, asked):
    desk, one, by_passphrase = world.desk(), recipient(world), gpg(world, "-c")
    for untrusted in (by_passphrase, gpg(world, "-c", "--armor")):
        shown = open_by_hand(desk.opener, untrusted)
        assert shown.text is None
        assert "sealed with a passphrase" in shown.problem
    for nested in (
        one.seal(by_passphrase),
        one.seal(openpgp.compressed(by_passphrase)),
        sealed(world) + by_passphrase,
        sealed(world)[:-1] + by_passphrase,
        one.seal(openpgp.literal(b"words"), before=openpgp.by_passphrase()),
    ):
        assert open_by_hand(desk.opener, nested).text is None
        assert open_by_hand(desk.opener, armoured(nested).encode()).text is None
    assert asked() == 0


def test_an_envelope_of_a_hostile_server_asks_the_reviewer_for_nothing(world, asked):
    by_passphrase = gpg(world, "-c")
    envelopes = {"a" * 32: by_passphrase, "b" * 32: recipient(world).seal(by_passphrase)}
    for name, content in envelopes.items():
        (world.folder.parent / name).write_bytes(content)
    world.bundle(*(world.folder.parent / name for name in envelopes))
    desk = world.desk()
    assert import_all(desk).looked.unreadable == 2
    for name, why in zip(envelopes, ("sealed with a passphrase", "another sealed message"), strict=True):
        with pytest.raises(CannotOpen, match=why):
            open_envelope(desk, name, 10_000)
    assert asked() == 0


@pytest.fixture
def openings(monkeypatch):
    """How often the desk has given something to gpg to be opened."""
    count, real = [], Opener.open

    def counted(*arguments, **named):
        count.append(1)
        return real(*arguments, **named)

    monkeypatch.setattr(Opener, "open", counted)
    return lambda: len(count)


def test_hostile_words_are_opened_on_request_and_refused_soon(world, browser, openings):
    one, reporter = recipient(world), world.reporter()
    hostile = (
        one.seal(one.packet * 1000 + one.seal(openpgp.literal(b"x"))),
        one.seal(openpgp.compressed(openpgp.bomb(one.packet, 1_000_000))),
        one.seal(one.seal(openpgp.literal(b"x"))),
        one.seal(openpgp.by_passphrase() + openpgp.packet(openpgp.SEALED, b"\x01" + bytes(50))),
    )
    assert len(hostile[1]) < 2000
    genuine = gpg(
        world, "--armor", "-e", "--recipient-file", certificate(world), content=b"The second bag."
    ).decode()
    world.bundle(world.seal(reporter, "\n\n".join([*map(armoured, hostile), genuine])))
    browser.post("/import")
    before = openings()
    page = browser.get(f"/conversations/{reporter.identity}").text
    assert openings() == before + 1  # the report itself
    assert page.count("There are words here that were sealed by hand") == 5
    assert "The second bag." not in page
    buttons = re.findall(r'action="(/messages/[0-9a-f]{32}/words/\d/open)"', page)
    assert browser.get(buttons[0]).status_code == 405
    for button in buttons[:4]:
        start = time.monotonic()
        assert "Another sealed message is within it" in browser.post(button).text
        assert time.monotonic() - start < SOON
    assert "The second bag." in browser.post(buttons[4]).text
    assert browser.post(buttons[0].replace("/1/", "/6/")).status_code == 404


def certificate(world):
    file = world.folder.parent / "unit.asc"
    file.write_text(world.house.unit.certificate)
    return file


def test_a_message_to_more_keys_than_people_have_is_not_tried(world):
    other = world.seal_bytes([b"words"], world.house.other.certificate).read_bytes()
    one = other[: 2 + other[1]]
    for many, sentence in ((8, "not sealed to a key that is here"), (9, "more than 8 keys")):
        shown = open_by_hand(world.desk().opener, one * many + other[len(one) :])
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


def test_armour_is_taken_off_whatever_heads_it():
    body = base64.b64encode(b"packets of a message")
    for head in (b"", b"\n", b"Version: 1\nComment: a: b\n\n"):
        wrapped = b"-----BEGIN PGP MESSAGE-----\n" + head + body + b"\n=AbCd\n-----END PGP MESSAGE-----\n"
        assert without_armour(b"before\n" + wrapped) == b"packets of a message"
    assert without_armour(b"\x85binary") == b"\x85binary"
