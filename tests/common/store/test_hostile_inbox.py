"""A collection that was broken into writes into the inbox what it likes: nothing comes of it but a count in the log."""

import hashlib
import os
import stat
from contextlib import suppress
from datetime import timedelta

import pytest

from common.days import today
from common.folders import entered
from common.registry.units import Status
from common.store import arrivals, delivered, returned
from common.store.delivered import MOST_LOOKED_AT, UnitFolder
from common.store.values import Returned
from common.transport import post
from tests.common.store.conftest import Desk

pytestmark = pytest.mark.slow

ODD = "{} things in the inbox were not as a courier leaves them: none was taken"
SLOTS = [bytes([n]) * 16 for n in range(1, 9)]


@pytest.fixture
def secret(folder):
    """A file of the source interface's user."""
    file = folder / "secret"
    file.write_bytes(b"a secret")
    return file


def _huge(file):
    with file.open("wb") as stream:
        stream.truncate(2**40)  # a hole: it takes no room, and would take a day to read


PLANTED = {  # each is made at `place`, in a store's `folder`
    "junk": lambda place, _: place.write_bytes(b"{}"),
    "a huge file": lambda place, _: _huge(place),
    "an empty file": lambda place, _: place.touch(),
    "a link": lambda place, folder: place.symlink_to(folder / "secret"),
    "a link to a folder": lambda place, folder: place.symlink_to(folder / "blobs"),
    "a hard link": lambda place, folder: place.hardlink_to(folder / "secret"),
    "a pipe": lambda place, _: os.mkfifo(place),
    "a socket": lambda place, _: os.mknod(place, 0o600 | stat.S_IFSOCK),
    "a device": lambda place, _: os.mknod(place, 0o600 | stat.S_IFCHR, os.makedev(1, 5)),
    "a folder": lambda place, _: place.mkdir(),
}


def plant(what, place, folder):
    """False where that cannot be made here: only root makes devices."""
    with suppress(PermissionError):
        PLANTED[what](place, folder)
        return True
    return False


@pytest.mark.parametrize("place", ["post", "slip", "envelope", "unit", "another name"])
def test_whatever_lies_there_what_is_genuine_is_taken_and_nothing_else_is_touched(
    store, put, settle, inbox, outbox, desk, other_desk, secret, folder, blob_files, caplog, place
):
    put(b"t" * 16)
    before = {file: file.read_bytes() for file in blob_files()}
    identity, slip = desk.slip(b"sealed", "other")
    units = inbox.root / "u"
    name = units / {"post": "0" * 32, "another name": "x", "slip": f"{identity}.slip"}.get(place, identity)
    for what in PLANTED:
        slots = [os.urandom(16) for _ in range(6)]
        inbox.put_post("other", other_desk.reply(*slots[:3]))
        if place == "unit":
            name = units
            if units.exists():
                units.rmdir()
        else:
            inbox.put_post("u", desk.reply(*slots[3:]))
        if place in ("slip", "envelope"):
            inbox.begin("u", identity, slip)
            inbox.append("u", identity, 0, b"sealed")
            inbox.finish("u", identity, hashlib.sha256(b"sealed").hexdigest())
            name.unlink()
        if not plant(what, name, folder):
            continue
        settle()
        kept = set(store.mailbox([], slots).replies)
        assert kept == ({slots[0]} if place == "unit" else {slots[0], slots[3]}), what
        assert outbox.waiting("other") == [], what
        assert {file: file.read_bytes() for file in blob_files()} == before, what
        assert secret.read_bytes() == b"a secret"
        assert secret.stat().st_nlink == 1
        odd = [] if place == "unit" and what == "a folder" else [ODD.format(1)]
        assert caplog.messages == odd, what
        caplog.clear()
        assert not units.exists() or list(units.iterdir()) == [], what


def test_what_lies_beside_the_units_is_deleted(settle, inbox, folder, secret):
    for number, what in enumerate(PLANTED):
        plant(what, inbox.root / f"{number}", folder)
    settle()
    assert list(inbox.root.iterdir()) == []
    assert secret.read_bytes() == b"a secret"


def test_a_full_folder_of_another_s_cannot_be_deleted_and_stops_nothing(store, settle, inbox, desk, caplog):
    (inbox.root / "u" / "x" / "y").mkdir(parents=True)
    (inbox.root / "z" / "x" / "y").mkdir(parents=True)
    inbox.put_post("u", desk.reply(*SLOTS[:3]))
    for _ in range(2):
        settle()
    assert list(store.mailbox([], SLOTS).replies) == SLOTS[:1]
    assert caplog.messages == [ODD.format(2)] * 2


def test_a_post_under_another_name_is_none(store, settle, inbox, outbox, desk, caplog):
    inbox.put_post("u", desk.reply())
    (inbox.root / "u" / ("0" * 32)).write_bytes(desk.reply(*SLOTS[:3]))
    settle()
    assert store.mailbox([], SLOTS).replies == {}
    assert outbox.returned("u") == []
    assert caplog.messages == [ODD.format(1)]


@pytest.mark.parametrize("status", [Status.ENROLLED, Status.SUSPENDED])
def test_what_no_desk_signed_leaves_room_for_what_is_returned_to_its_unit(
    settle, inbox, outbox, desk, other_desk, caplog, monkeypatch, status
):
    """However often a broken-into collection fills the inbox, the unit still learns what of its own was not taken."""
    monkeypatch.setattr(arrivals, "MOST_POSTS", 4)
    monkeypatch.setattr(returned, "MOST_RETURNED", 8)
    units = (Desk("u", status, desk.key).unit, other_desk.unit)
    for _ in range(5):
        for _ in range(4):
            inbox.put_post("u", other_desk.reply())
        settle(units=units)
        assert len(outbox.returned("u")) == 4
    assert caplog.messages == []
    old = desk.reply(day=today() - timedelta(days=99))
    inbox.put_post("u", old)
    settle()
    assert Returned(post.identity(old), "refused") in outbox.returned("u")


@pytest.mark.parametrize("status", [Status.ENROLLED, Status.SUSPENDED])
def test_what_no_desk_signed_under_a_name_that_is_not_its_own_is_deleted_and_counted(
    settle, inbox, outbox, desk, other_desk, caplog, status
):
    folder = inbox.root / "u"
    folder.mkdir()
    (folder / ("0" * 32)).write_bytes(other_desk.reply())
    _, slip = other_desk.slip(b"sealed", "other")
    (folder / ("1" * 32)).write_bytes(b"sealed")
    (folder / f"{'1' * 32}.slip").write_bytes(slip)
    settle(units=(Desk("u", status, desk.key).unit, other_desk.unit))
    assert outbox.returned("u") == []
    assert caplog.messages == [ODD.format(2)]
    assert not folder.exists() or list(folder.iterdir()) == []


def test_an_envelope_that_is_not_what_its_slip_says_is_none(settle, inbox, outbox, desk, caplog, blob_files):
    identity, slip = desk.slip(b"sealed", "other")
    for number, content in enumerate((b"sealeD", b"sealed and more", b"seal", b"")):
        inbox.begin("u", identity, slip)
        (inbox.root / "u" / identity).write_bytes(content)
        settle()
        assert outbox.waiting("other") == []
        assert blob_files() == []
        assert list((inbox.root / "u").iterdir()) == []
        assert caplog.messages == [ODD.format(1)] * (number + 1)


def test_an_envelope_that_changes_while_it_is_copied_is_kept_as_its_slip_says_or_not_at_all(
    settle, inbox, outbox, desk, forward, monkeypatch
):
    identity = forward(desk, b"sealed", "other")
    real = os.read

    def read_and_change(descriptor, count):
        content = real(descriptor, count)
        if content == b"sealed":
            (inbox.root / "u" / identity).write_bytes(b"forged")
        return content

    monkeypatch.setattr(os, "read", read_and_change)
    settle()
    assert outbox.open("other", identity).read() == b"sealed"


def test_of_very_many_names_a_bounded_number_is_looked_at(settle, inbox, monkeypatch):
    monkeypatch.setattr(delivered, "MOST_LOOKED_AT", 7)
    for unit in ("u", "nobody"):
        (inbox.root / unit).mkdir()
        for number in range(20):
            (inbox.root / unit / f"{number}").touch()
    settle()
    assert len(list((inbox.root / "u").iterdir())) == 13
    assert len(list((inbox.root / "nobody").iterdir())) == 13
    with entered(inbox.root / "u") as descriptor:
        assert len(UnitFolder(descriptor).names()) == 7
    assert MOST_LOOKED_AT > 2000


def test_what_may_not_be_deleted_is_taken_once_and_then_left_alone(store, settle, inbox, desk, outbox):
    """The collection may give the settlement's user a folder to read in and not to delete from."""
    document = desk.reply(*SLOTS[:3])
    inbox.put_post("u", document)
    real = os.unlink

    def unlink(name, *, dir_fd=None):
        if name == post.identity(document):
            raise PermissionError
        real(name, dir_fd=dir_fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        for _ in range(3):
            settle()
            assert list(store.mailbox([], SLOTS).replies) == SLOTS[:1]
            assert outbox.returned("u") == []
    settle()
    assert list((inbox.root / "u").iterdir()) == []
    assert list(store.mailbox([], SLOTS).replies) == SLOTS[:1]


def test_the_same_post_delivered_again_takes_a_bounded_number_of_slots(store, settle, inbox, outbox, desk):
    """A courier, or the collection, posts what it has kept again and again: it reaches its own three slots."""
    document = desk.reply(*SLOTS[:3])
    for _ in range(5):
        inbox.put_post("u", document)
        settle()
    assert set(store.mailbox([], SLOTS).replies) == set(SLOTS[:3])
    assert outbox.returned("u") == [Returned(post.identity(document), "no-place")]


def test_what_is_no_plain_file_is_not_even_opened(settle, inbox, monkeypatch):
    """Opening a pipe or a device can do something by itself."""
    (inbox.root / "u").mkdir()
    os.mkfifo(inbox.root / "u" / ("0" * 32))
    opened, real = [], os.open

    def spy(path, *arguments, **named):
        opened.append(str(path))
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", spy)
    settle()
    assert "0" * 32 not in opened
    assert "u" in opened


@pytest.mark.parametrize("becomes", ["a pipe", "a folder", "a link"])
def test_a_file_that_becomes_another_thing_before_it_is_opened_is_none(
    settle, inbox, outbox, desk, forward, folder, secret, caplog, monkeypatch, becomes
):
    (folder / "x").mkdir()
    content = b"x" * (folder / "x").stat().st_size  # as large as a folder says that it is
    identity = forward(desk, content, "other")
    real = os.open

    def swap(path, *arguments, **named):
        if path == identity:
            place = inbox.root / "u" / identity
            place.unlink()
            PLANTED[becomes](place, folder)
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", swap)
    settle()
    assert outbox.waiting("other") == []
    assert caplog.messages == [ODD.format(1)]
    assert list((inbox.root / "u").iterdir()) == []


def test_what_a_unit_signs_in_another_s_name_is_returned(store, settle, inbox, outbox, desk):
    document = post.sign_reply("other", today(), SLOTS[:3], os.urandom(9328), desk.key)
    inbox.put_post("u", document)
    identity, slip = desk.slip(b"sealed", "other", by="third")
    inbox.begin("u", identity, slip)
    inbox.append("u", identity, 0, b"sealed")
    (inbox.root / "u" / f"{identity}.part").rename(inbox.root / "u" / identity)
    settle()
    assert store.mailbox([], SLOTS).replies == {}
    assert outbox.waiting("other") == []
    assert {one.post for one in outbox.returned("u")} == {post.identity(document), identity}
