"""Months at the desk: what is sealed to which, what is kept for a case, and an end that nothing comes back from."""

import io
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from common.days import today
from common.gpg import sealing
from common.gpg.epochs import epochs_of, month_after, month_of
from common.gpg.keyring import Where, end_agent, keys_of
from common.gpg.opening import Opener, OpeningFailed
from common.gpg.runner import gpg_environment
from common.registry import registry as registries
from common.report.trail import Why
from journalist_interface.desk.answers.composition import read_answer, seal_answer
from journalist_interface.desk.epochs import case_keeping, months
from journalist_interface.desk.epochs.months import NotNow, destroy_epoch, list_epochs
from journalist_interface.desk.opening.inspection import CannotOpen
from journalist_interface.desk.passing_on import handover
from journalist_interface.desk.passing_on.handover import Choice, document_of, forward
from journalist_interface.desk.settings import NoCaseKey
from journalist_interface.desk.stick.bundle_export import export_waiting
from journalist_interface.desk.stick.bundle_import import import_all
from keys.registry.signature import sign_registry
from keys.unit import unit_keys as units

pytestmark = pytest.mark.slow

OLD = month_of(month_of(today()) - timedelta(days=40))  # over, and its overlap too
OLD_DAY = OLD + timedelta(days=9)


@pytest.fixture(scope="module")
def aged(house, short_folder):
    """The keys of a unit whose first month is over, and the registry that names them."""
    folder = short_folder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "today", lambda: OLD_DAY)
        made = units.new_unit(folder, "demo-unit", "Demo Unit", passphrase=None, months=6)
    end_agent(folder / "gnupg")
    registry = registries.verify(house.registry, house.root, today())
    named = tuple(
        replace(
            unit, certificate=made.certificate, fingerprint=made.fingerprint, reply_key=made.reply_public_key
        )
        if unit.id == "demo-unit"
        else unit
        for unit in registry.units
    )
    signed = sign_registry(replace(registry, units=named), house.folder / "root.key")
    return folder, replace(house, unit=made, registry=signed)


@pytest.fixture
def world(world, aged, short_folder):
    """The desk of that unit, with keys of its own."""
    folder, house = aged
    mine = short_folder()
    for name in ("reply.key.gpg", "case.asc"):
        shutil.copyfile(folder / name, mine / name)
    shutil.copytree(folder / "gnupg", mine / "gnupg", ignore=shutil.ignore_patterns("S.*"))
    settings = world.settings.read_text().replace(str(world.house.folder / "unit"), str(mine))
    world.settings.write_text(settings)
    (world.folder / "registry.json").write_bytes(house.registry)
    return replace(world, house=house)


@pytest.fixture
def old(world):
    """The first month's epoch."""
    return first(world.desk())


def first(desk):
    return list_epochs(desk)[0].epoch


@pytest.fixture
def receive(world, monkeypatch):
    """Import reports of one reporter, sealed in the old month or today."""

    def take(reporter, *texts, day=OLD_DAY, **more):
        with monkeypatch.context() as patch:
            patch.setattr(sealing, "today", lambda: day)
            sealed = [world.seal(reporter, text, day=day, **more) for text in texts]
        world.bundle(*sealed)
        desk = world.desk()
        assert import_all(desk).refused == ()
        return [desk.files.envelope(file.name) for file in sealed]

    return take


def plain_gpg(home, file, into):
    """What plain gpg makes of a file in a copy of a home."""
    into.mkdir()
    shutil.copytree(home, into, ignore=shutil.ignore_patterns("S.*"), dirs_exist_ok=True)
    into.chmod(0o700)
    try:
        return subprocess.run(
            ["gpg", "--homedir", into, "--batch", "--decrypt", file],
            capture_output=True,
            check=False,
            env=gpg_environment(),
        ).stdout
    finally:
        end_agent(into)


def agent_of(home):
    """The process of the gpg-agent that serves a home; None when there is none."""
    asked = ["gpg-connect-agent", "--homedir", home, "--no-autostart", "getinfo pid", "/bye"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False, env=gpg_environment()).stdout
    found = re.match(r"D (\d+)$", said, re.MULTILINE)
    return found and int(found[1])


def test_the_desk_knows_what_is_sealed_to_which_month(world, receive, browser):
    reporter = world.reporter()
    receive(reporter, "one", "two")
    receive(world.reporter(), "three", day=today())
    shown = {one.epoch.month: one.holding for one in list_epochs(world.desk())}
    assert (shown[OLD].envelopes, shown[OLD].first_day, shown[OLD].last_day) == (2, OLD_DAY, OLD_DAY)
    assert shown[OLD].unanswered == 1
    assert shown[month_of(today())].envelopes == 1
    assert shown[month_after(month_of(today()))].envelopes == 0
    page = browser.get("/epochs").text
    assert re.search(rf"{OLD:%B %Y}</h2>\s*<p>2 messages, of {OLD_DAY.day} {OLD_DAY:%B %Y},", page)
    assert "This month" in page


def test_what_a_destroyed_month_held_opens_no_more_from_any_copy(world, receive, old, short_folder):
    [sealed] = receive(world.reporter(), "Words of a secret.")
    desk, other = world.desk(), short_folder()
    copy = other / "copy"
    shutil.copyfile(sealed, copy)
    home = desk.settings.gnupg
    assert b"Words of a secret." in plain_gpg(home, copy, other / "before")
    key_file = home / "private-keys-v1.d" / f"{old.key.keygrip}.key"
    os.link(key_file, other / "key")
    assert agent_of(home) is not None
    destroy_epoch(desk, old.fingerprint)
    assert agent_of(home) is None  # whatever it remembered of passphrases and keys
    assert set((other / "key").read_bytes()) == {0}
    assert plain_gpg(home, copy, other / "after") == b""
    with pytest.raises(OpeningFailed):
        desk.opener.open(sealed, lambda _: None)
    assert not key_file.exists()
    after = list_epochs(desk)
    assert [one.epoch.is_gone for one in after] == [True, *[False] * 5]
    assert after[0].destroyed == today()
    assert [line.what for line in desk.cabinet.envelopes.handled([sealed.name])] == [
        "received",
        "opened",
        "destroyed",
    ]
    destroy_epoch(desk, old.fingerprint)  # again: nothing changes
    assert len(desk.cabinet.envelopes.handled([sealed.name])) == 3
    receive(world.reporter(), "Later words.", day=today())  # what came after opens as ever
    assert desk.cabinet.conversations.page()[0].last_day == today()


def test_the_page_asks_twice_and_wants_the_month_typed(world, receive, old, browser):
    receive(reporter := world.reporter(), "Words.")
    path = f"/epochs/{old.fingerprint}"
    asked = browser.get(path).text
    assert "1 message and 0 answers will never open again" in asked
    assert "1 conversation among them has no answer yet" in asked
    assert "backup of this workstation" in asked
    assert "flash disk" in asked
    for typed in ("", "yes", f"{month_after(OLD):%B %Y}"):
        for step in ("confirm", "destroy"):
            assert "Nothing was done" in browser.post(f"{path}/{step}", {"month": typed}).text
    last = browser.post(f"{path}/confirm", {"month": f" {OLD:%B %Y} ".lower()}).text
    assert "This cannot be undone" in last
    assert not first(world.desk()).is_gone
    done = browser.post(f"{path}/destroy", {"month": browser.fields(last)["month"]})
    assert done.status_code == 303
    assert first(world.desk()).is_gone
    assert "Destroyed here on" in browser.get("/epochs").text
    page = browser.get(f"/conversations/{reporter.identity}").text
    assert "its month’s key was destroyed at this desk" in page
    assert "destroyed, SHA-256" in page


def test_this_month_and_those_to_come_are_not_destroyed(world, browser):
    desk = world.desk()
    for shown in list_epochs(desk):
        if not shown.epoch.is_over(today()):
            with pytest.raises(NotNow, match="Reports may be sealed to it until"):
                destroy_epoch(desk, shown.epoch.fingerprint)
            answer = browser.post(f"/epochs/{shown.epoch.fingerprint}/destroy", {"month": shown.epoch.name})
            assert answer.status_code == 409
    assert not any(shown.epoch.is_gone for shown in list_epochs(desk))
    assert len([shown for shown in list_epochs(desk) if not shown.obstacles]) >= 1


def test_what_is_kept_for_a_case_opens_after_its_month_is_destroyed(world, receive, old, browser):
    reporter = world.reporter()
    body = os.urandom(3_000_000)
    [sealed] = receive(reporter, "For a case.", files=[("a.bin", [body])])
    before = bytearray()
    desk = world.desk()
    desk.opener.open(sealed, before.extend)
    seal_answer(desk, reporter.identity, answer := secrets.token_hex(16), "An answer.")
    assert browser.post(f"/conversations/{reporter.identity}/keep").status_code == 303
    destroy_epoch(desk, old.fingerprint)
    after = bytearray()
    key = desk.opener.open(sealed, after.extend)
    assert after == before
    assert key not in {key.fingerprint for key in keys_of(desk.settings.gnupg, world.house.unit.fingerprint)}
    assert read_answer(desk, answer).text == "An answer."
    page = browser.get(f"/conversations/{reporter.identity}").text
    assert "For a case." in page
    assert "kept for a case" in page
    [row] = [line for line in desk.cabinet.envelopes.handled([sealed.name]) if line.what == "resealed"]
    assert row.sha256 == sealing_sum(sealed)
    assert list(desk.files.staging.iterdir()) == []
    assert import_all(desk).taken[0].known == 1  # the same bundle again is no conflict
    seal_answer(desk, reporter.identity, later := secrets.token_hex(16), "A later answer.")
    assert desk.opener.open(desk.files.answer(later), lambda _: None) == key


def sealing_sum(file):
    return subprocess.run(["sha256sum", file], capture_output=True, check=True).stdout.decode().split()[0]


def test_a_month_that_a_case_still_needs_is_refused_until_it_is_kept_again(world, receive, old):
    reporter = world.reporter()
    receive(reporter, "First.")
    desk = world.desk()
    assert case_keeping.keep(desk, reporter.identity) == case_keeping.Kept(1, 0)
    receive(reporter, "A late one, of the same month.", first=False)
    with pytest.raises(NotNow, match=r"1 message and 0 answers of conversations that are kept for a case"):
        destroy_epoch(desk, old.fingerprint)
    assert not first(desk).is_gone
    assert case_keeping.keep(desk, reporter.identity) == case_keeping.Kept(1, 0)
    destroy_epoch(desk, old.fingerprint)


def test_answers_that_have_not_left_keep_their_month(world, receive, old, monkeypatch):
    reporter = world.reporter()
    receive(reporter, "Words.")
    desk = world.desk()
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "today", lambda: OLD_DAY)
        seal_answer(desk, reporter.identity, secrets.token_hex(16), "An answer of the old month.")
    with pytest.raises(NotNow, match=r"1 answer sealed to it may not have left this desk. Export first"):
        destroy_epoch(desk, old.fingerprint)
    assert not first(desk).is_gone


def test_what_is_passed_on_and_has_not_left_keeps_its_month_unless_it_is_kept_for_a_case(
    world, receive, old, monkeypatch
):
    gone, kept = world.reporter(), world.reporter()
    receive(gone, "Words.")
    receive(kept, "Words for a case.")
    desk, choice = world.desk(), Choice("other-unit", Why.OTHER_FORCE)
    case_keeping.keep(desk, kept.identity)
    keep_document = handover.keep_forward

    def of_the_old_month(*of):
        with monkeypatch.context() as patch:
            patch.setattr(sealing, "today", lambda: OLD_DAY)
            return keep_document(*of)

    monkeypatch.setattr(handover, "keep_forward", of_the_old_month)
    for reporter in (gone, kept):
        forward(desk, reporter.identity, secrets.token_hex(16), choice)
    with pytest.raises(NotNow, match=r"1 report to be passed on may not have left this desk. Export first"):
        destroy_epoch(desk, old.fingerprint)
    assert export_waiting(desk).forwards == 2
    destroy_epoch(desk, old.fingerprint)
    assert first(desk).is_gone
    (of_the_case,) = desk.cabinet.forwards.of(kept.identity)
    assert document_of(desk, of_the_case.id)


def test_a_reply_key_that_a_month_would_take_along_is_moved_first(world, old):
    desk = world.desk()
    folder = desk.settings.gnupg.parent
    pem = bytearray()
    desk.opener.open(folder / "reply.key.gpg", pem.extend)
    (folder / "certificate.asc").write_text(world.house.unit.certificate)
    (folder / "reply.key.gpg").unlink()
    desk.sealer.seal(io.BytesIO(bytes(pem)), [folder / "certificate.asc"], folder / "reply.key.gpg")
    with pytest.raises(NotNow, match="candour keys unit case-key"):
        destroy_epoch(desk, old.fingerprint)
    assert not first(desk).is_gone


def test_a_desk_of_an_older_release_looks_into_what_it_has_first(world, receive, old, browser):
    receive(reporter := world.reporter(), "Words.", "More.")
    desk = world.desk()
    desk.cabinet.rest()
    with sqlite3.connect(desk.settings.database) as rows:  # as an older release left it
        rows.execute("DROP INDEX ix_envelope_epoch")
        for table, column in (("envelope", "epoch"), ("answer", "epoch"), ("conversation", "kept")):
            rows.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    desk = world.desk()
    assert desk.cabinet.conversations.get(reporter.identity).messages == 2
    with pytest.raises(NotNow, match=r"the month is not known. Look into them first"):
        destroy_epoch(desk, old.fingerprint)
    browser.app.extensions["candour"] = desk
    assert "2 messages and 0 answers were opened or sealed before" in browser.get("/epochs").text
    assert browser.post("/epochs/look").status_code == 303
    assert list_epochs(desk)[0].holding.envelopes == 2
    destroy_epoch(desk, old.fingerprint)


def test_a_key_on_a_card_is_not_said_to_be_destroyed(world, old):
    """The stub that gpg keeps of a key on a card is all that is in the home: removing it would destroy nothing."""
    desk = world.desk()
    stub = desk.settings.gnupg / "private-keys-v1.d" / f"{old.key.keygrip}.key"
    stub.write_bytes(b"(20:shadowed-private-key)")
    assert first(desk).key.where is Where.CARD
    with pytest.raises(NotNow, match=r"on a smart card. Delete it there, or destroy the card"):
        destroy_epoch(desk, old.fingerprint)
    assert stub.exists()


def test_without_a_case_key_nothing_is_kept_and_the_page_says_what_to_do(world, receive, browser):
    receive(reporter := world.reporter(), "Words.")
    desk = world.desk()
    (desk.settings.gnupg.parent / "case.asc").unlink()
    with pytest.raises(NoCaseKey):
        case_keeping.keep(desk, reporter.identity)
    answer = browser.post(f"/conversations/{reporter.identity}/keep")
    assert answer.status_code == 409
    assert "candour keys unit case-key" in answer.text


def test_what_does_not_open_whole_is_not_replaced(world, receive):
    [sealed] = receive(reporter := world.reporter(), "Words.")
    damaged = bytearray(sealed.read_bytes())
    damaged[-1] ^= 1
    sealed.write_bytes(damaged)
    desk = world.desk()
    with pytest.raises(CannotOpen):
        case_keeping.keep(desk, reporter.identity)
    assert sealed.read_bytes() == damaged
    assert list(desk.files.staging.iterdir()) == []


def test_keeping_that_is_killed_leaves_the_old_file_or_the_new_one_and_nothing_readable(
    world, receive, kill_at
):
    """Killed at every step, what lies there opens as before, or sealed anew: never in part, never in the clear."""
    mark = b"A mark that nobody else writes. "
    [sealed] = receive(reporter := world.reporter(), "Words.", files=[("a.txt", [mark * 2000] * 50)])
    desk = world.desk()
    before = bytearray()
    desk.opener.open(sealed, before.extend)
    for at in range(1, 60):
        step = kill_at(at, lambda: case_keeping.keep(world.desk(), reporter.identity), world.folder)
        assert not any(mark in file.read_bytes() for file in world.folder.rglob("*") if file.is_file())
        after = bytearray()
        Opener(desk.settings.gnupg).open(sealed, after.extend)
        assert after == before, step
        if step is None:
            break
    else:
        pytest.fail("it never ended")
    assert at > 5


def test_a_kill_between_the_keys_end_and_its_note_is_mended_by_asking_again(world, receive, old, monkeypatch):
    receive(world.reporter(), "Words.")
    desk = world.desk()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(desk.cabinet.sealed_to, "note_destroyed", killed)
        with pytest.raises(KeyboardInterrupt):
            destroy_epoch(desk, old.fingerprint)
    assert first(desk).is_gone
    assert list_epochs(desk)[0].destroyed is None
    months.destroy_epoch(world.desk(), old.fingerprint)
    assert list_epochs(desk)[0].destroyed == today()


def test_months_without_number_are_found(world):
    found = epochs_of(keys_of(world.desk().settings.gnupg, world.house.unit.fingerprint))
    assert [epoch.month for epoch in found] == [month_after(OLD, number) for number in range(6)]
