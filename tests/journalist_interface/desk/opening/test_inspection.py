"""The first look: what the desk learns of an envelope, and what stays listed as unreadable."""

import secrets
import shutil
import subprocess
import time
import zipfile
from datetime import timedelta
from io import BytesIO

import pytest

from common.days import today
from common.gpg.opening import watchdog
from common.gpg.runner import private_home
from common.report import archive
from common.report.report import Report
from journalist_interface.desk.opening import failure_reasons
from journalist_interface.desk.opening.inspection import look_again
from journalist_interface.desk.stick.bundle_import import import_all
from tests import openpgp

pytestmark = pytest.mark.slow

SOON = 15  # seconds, on a busy machine


def raw(world, content):
    file = world.folder.parent / secrets.token_hex(16)
    file.write_bytes(content)
    return file


def packed(entries, compression=zipfile.ZIP_STORED):
    out = BytesIO()
    with zipfile.ZipFile(out, "w", compression) as made:
        for name, content in entries:
            made.writestr(name, content)
    return out.getvalue()


def report_bytes(world, files=()):
    report = Report("x", "demo-unit", today(), True, world.reporter().conversation, "f" * 64, 0)
    parts = [archive.FilePart(name, iter(chunks)) for name, chunks in files]
    return b"".join(archive.write(parts, lambda: report))


def bomb(world):
    """A report whose padding is deflated: small to carry, and larger than it looks."""
    with zipfile.ZipFile(BytesIO(report_bytes(world))) as whole:
        parts = [(entry.filename, whole.read(entry)) for entry in whole.infolist()]
    return packed(parts, zipfile.ZIP_DEFLATED)


def bad_local_name(world):
    """A report whose small part carries, at its own place, a name that is not UTF-8."""
    content = bytearray(report_bytes(world))
    place = content.rindex(b"report.json", 0, content.rindex(b"manifest.json"))
    place = content.index(b"PK\x03\x04", content.index(b"report.txt")) + 30
    content[place : place + 2] = b"\xff\xfe"
    return bytes(content)


def two_of_a_name(world):
    with pytest.warns(UserWarning, match="Duplicate"):
        return packed([("report.json", b"{}"), ("report.json", b"{}"), ("manifest.json", b"{}")])


def compressed_by_gpg(world):
    """A hundred megabytes of zeros in a gpg message of a few kilobytes."""
    certificate = world.folder.parent / "c.asc"
    certificate.write_text(world.house.unit.certificate)
    home = private_home(world.folder.parent / "gh")
    made = subprocess.run(
        ["gpg", "--homedir", str(home), "--batch", "-z", "9", "-e", "--recipient-file", str(certificate)],
        input=bytes(100 * 1024 * 1024),
        capture_output=True,
        check=True,
    )
    assert len(made.stdout) < 1024 * 1024
    return raw(world, made.stdout)


UNREADABLE = {
    "not a gpg message": (lambda world: raw(world, b"just words" * 1000), failure_reasons.NOT_SEALED),
    "empty": (lambda world: raw(world, b""), failure_reasons.NOT_SEALED),
    "sealed to another": (
        lambda world: world.seal_bytes([report_bytes(world)], world.house.other.certificate),
        failure_reasons.NO_KEY,
    ),
    "no archive": (lambda world: world.seal_bytes([b"hello" * 5000]), failure_reasons.NOT_A_REPORT),
    "an archive that is none of ours": (
        lambda world: world.seal_bytes([packed([("a.txt", b"a")])]),
        failure_reasons.NOT_A_REPORT,
    ),
    "compressed entries": (lambda world: world.seal_bytes([bomb(world)]), failure_reasons.NOT_A_REPORT),
    "a name twice": (lambda world: world.seal_bytes([two_of_a_name(world)]), failure_reasons.NOT_A_REPORT),
    "a name that is no text": (
        lambda world: world.seal_bytes([bad_local_name(world)]),
        failure_reasons.NOT_A_REPORT,
    ),
    "cut short before it was bundled": (
        lambda world: raw(world, world.seal(world.reporter()).read_bytes()[:9000]),
        failure_reasons.DAMAGED,
    ),
    "more than its size": (compressed_by_gpg, failure_reasons.DAMAGED),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_does_not_open_stays_listed_and_sealed(world, browser, kind):
    make, reason = UNREADABLE[kind]
    sealed = make(world)
    good = world.reporter()
    world.bundle(sealed, world.seal(good))
    page = browser.post("/import").text
    assert "1 message opened for the first time, 1 could not be opened" in page.replace("\n", " ")
    listed = browser.get("/").text
    assert f"M-{sealed.name[:8]}" in listed
    assert failure_reasons.SENTENCES[reason].replace("'", "&#39;") in listed
    assert f"M-{sealed.name[:8]}" in browser.get("/unreadable").text
    assert world.desk().cabinet.envelopes.get(sealed.name).reason == reason
    assert world.desk().files.envelope(sealed.name).read_bytes() == sealed.read_bytes()
    assert f"C-{good.identity[:8]}" in listed


HOSTILE = {
    "a thousand session keys": lambda one: one.packet * 1000 + one.seal(openpgp.literal(b"x")),
    "what unpacks to a million session keys": lambda one: openpgp.compressed(
        openpgp.bomb(one.packet, 1_000_000)
    ),
    "a message within": lambda one: one.seal(openpgp.literal(b"x")),
    "a passphrase within": lambda _: (
        openpgp.by_passphrase() + openpgp.packet(openpgp.SEALED, b"\x01" + bytes(50))
    ),
}


def hostile_recipient(world):
    one = world.seal_bytes([b"x"]).read_bytes()
    return openpgp.recipient(world.house.folder / "unit" / "gnupg", one)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_envelope_keeps_no_other_from_being_listed(world, browser, kind):
    one = hostile_recipient(world)
    hostile = raw(world, one.seal(HOSTILE[kind](one)))
    reporters = [world.reporter() for _ in range(5)]
    world.bundle(hostile, *(world.seal(reporter) for reporter in reporters))
    start = time.monotonic()
    page = browser.post("/import").text
    assert time.monotonic() - start < SOON
    assert "5 messages opened for the first time, 1 could not be opened" in page.replace("\n", " ")
    listed = browser.get("/").text
    assert all(f"C-{reporter.identity[:8]}" in listed for reporter in reporters)
    assert f"M-{hostile.name[:8]}" in listed
    assert failure_reasons.SENTENCES[failure_reasons.NESTED] in listed


@pytest.fixture
def hanging_gpg(world, tmp_path, monkeypatch):
    """The first gpg that is to open something, with what it started, does nothing, for as long as this is there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    real = shutil.which("gpg")
    (folder / "gpg").write_text(
        f"#!/bin/sh\ncase \"$*\" in *--unwrap*) mkdir '{folder}/once' 2>/dev/null && sleep 1000;; esac\n"
        f'exec {real} "$@"\n'
    )
    (folder / "gpg").chmod(0o700)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(watchdog, "PATIENCE", 4.0)
    settings = world.folder / "desk.toml"  # without the file that the desk opens before all others
    settings.write_text(settings.read_text().replace("reply.key.gpg", "no.such.file"))
    return folder / "gpg"


def test_one_that_hangs_is_set_aside_and_the_others_are_listed_meanwhile(world, hanging_gpg):
    reporters = [world.reporter() for _ in range(6)]
    world.bundle(*(world.seal(reporter) for reporter in reporters))
    desk, start = world.desk(), time.monotonic()
    noted: list[tuple[str | None, float]] = []
    real = desk.cabinet.envelopes.note

    def note(looks, day):
        noted.extend((look.reason, time.monotonic() - start) for look in looks)
        real(looks, day)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.cabinet.envelopes, "note", note)
        looked = import_all(desk).looked
    assert (looked.opened, looked.unreadable) == (5, 1)
    assert [reason for reason, _ in noted] == [None] * 5 + [failure_reasons.STUCK]
    assert noted[-1][1] < 4 * SOON
    [aside] = desk.cabinet.envelopes.unreadable()
    assert aside.reason == failure_reasons.STUCK
    assert len(desk.cabinet.conversations.page()) == 5
    hanging_gpg.unlink()
    assert look_again(world.desk()).opened == 1
    assert len(desk.cabinet.conversations.page()) == 6


def test_one_that_the_desk_stumbles_over_is_set_aside(world, monkeypatch, caplog):
    bad, good = world.reporter(), world.reporter()
    world.bundle(world.seal(bad), world.seal(good))

    def stumble(envelope_id, report, unit):
        if report.conversation.identity == bad.identity:
            raise KeyError("a secret word")
        return True

    monkeypatch.setattr("journalist_interface.desk.opening.inspection.is_ours", stumble)
    desk = world.desk()
    looked = import_all(desk).looked
    assert (looked.opened, looked.unreadable) == (1, 1)
    assert [aside.reason for aside in desk.cabinet.envelopes.unreadable()] == [failure_reasons.FAILED]
    assert "a secret word" not in caplog.text
    monkeypatch.undo()
    assert look_again(desk).opened == 1


def test_messages_of_one_conversation_are_together(world):
    one, other = world.reporter(), world.reporter()
    day = today() - timedelta(days=5)
    world.bundle(
        world.seal(one, day=day, files=[("a", [b"a"]), ("b", [b"b"])]),
        world.seal(one, first=False, files=[("c", [b"c"])]),
        world.seal(other),
    )
    desk = world.desk()
    import_all(desk)
    found = {item.identity: item for item in desk.cabinet.conversations.page()}
    assert set(found) == {one.identity, other.identity}
    assert (found[one.identity].messages, found[one.identity].files) == (2, 3)
    assert (found[one.identity].first_day, found[one.identity].last_day) == (day, today())
    assert found[one.identity].unanswered


def test_what_did_not_open_is_tried_again_and_counted_once(world, browser):
    reporter = world.reporter()
    sealed = world.seal(reporter)
    world.bundle(sealed)
    home = world.house.folder / "unit" / "gnupg"
    keys, aside = home / "private-keys-v1.d", home / "aside"
    (world.folder / "desk.toml").write_text(
        (world.folder / "desk.toml").read_text().replace("reply.key.gpg", "no.such.file")
    )
    desk = world.desk()
    keys.rename(aside)
    try:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=True)
        assert import_all(desk).looked.unreadable == 1
        assert look_again(desk).unreadable == 1
    finally:
        shutil.rmtree(keys, ignore_errors=True)
        aside.rename(keys)
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=True)
    again = browser.post("/unreadable").text
    assert "1 opened, 0 still could not be opened" in again
    assert look_again(desk).opened == 0
    [found] = desk.cabinet.conversations.page()
    assert (found.identity, found.messages) == (reporter.identity, 1)


def test_while_the_key_is_locked_nothing_is_called_unreadable(world, browser):
    world.bundle(world.seal(world.reporter()))
    home = world.house.folder / "unit" / "gnupg"
    keys, aside = home / "private-keys-v1.d", home / "aside"
    keys.rename(aside)
    try:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=True)
        page = browser.post("/import").text
        assert "1 new message" in page
        assert "key is locked" in page
        assert "1 message</strong> waits to be opened" in browser.get("/").text
    finally:
        shutil.rmtree(keys, ignore_errors=True)
        aside.rename(keys)
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=True)
    assert "1 message opened for the first time" in browser.post("/import").text


def test_a_day_that_has_not_come_counts_as_today(world):
    world.bundle(world.seal(world.reporter(), day=today() + timedelta(days=4000)))
    desk = world.desk()
    import_all(desk)
    [found] = desk.cabinet.conversations.page()
    assert found.last_day == today()


def test_the_record_of_handling_is_only_added_to(world):
    sealed = world.seal(world.reporter())
    world.bundle(sealed)
    desk = world.desk()
    import_all(desk)
    received, opened = desk.cabinet.envelopes.handled([sealed.name])
    assert (received.what, received.envelope) == ("received", sealed.name)
    assert received.sha256 == desk.cabinet.envelopes.get(sealed.name).sha256
    assert opened.what == "opened"
    for statement in ("UPDATE handling SET what = 'x'", "DELETE FROM handling"):
        with desk.cabinet.engine.connect() as connection, pytest.raises(Exception, match="append-only"):
            connection.exec_driver_sql(statement)
