"""Bundles: each item taken, or set aside by name with the reason; known when they come again."""

import errno
import hashlib
import json
import os
import shutil
from contextlib import nullcontext
from dataclasses import replace

import pytest

from common.days import today
from common.envelope_id import forwarded_id
from common.registry import registry as registries
from common.registry.registry import RegistryRefused
from common.transport import bundle, bundle_item
from common.transport.bundle import Bundle
from common.transport.bundle_item import Item
from journalist_interface.desk.rows.sealed_files import SealedFiles
from journalist_interface.desk.services import StickBusy
from journalist_interface.desk.stick import bundle_import
from journalist_interface.desk.stick.bundle_import import import_all
from keys.registry.signature import sign_registry

pytestmark = pytest.mark.slow


def sealed_files(world):
    return [path for path in (world.folder / "sealed").rglob("*") if path.is_file()]


def rows(world):
    with world.desk().cabinet.engine.connect() as connection:
        return connection.exec_driver_sql("SELECT id FROM envelope").scalars().all()


def test_a_bundle_is_taken_and_what_is_kept_is_what_came(world):
    reports = [world.seal(world.reporter()) for _ in range(3)]
    world.bundle(*reports)
    done = import_all(world.desk())
    assert [(taken.new, taken.known) for taken in done.taken] == [(3, 0)]
    assert done.looked.opened == 3
    assert {file.name: file.read_bytes() for file in sealed_files(world)} == {
        file.name: file.read_bytes() for file in reports
    }
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in sealed_files(world))


def test_the_same_bundle_again_changes_nothing(world):
    world.bundle(world.seal(world.reporter()))
    desk = world.desk()
    import_all(desk)
    before = (desk.cabinet.conversations.page(), desk.cabinet.envelopes.handled(rows(world)))
    done = import_all(desk)
    assert [(taken.new, taken.known, taken.aside) for taken in done.taken] == [(0, 1, ())]
    assert done.looked.opened == 0
    assert (desk.cabinet.conversations.page(), desk.cabinet.envelopes.handled(rows(world))) == before


def flip(folder):
    file = min(folder.iterdir())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def shorten(folder):
    file = min(folder.iterdir())
    file.write_bytes(file.read_bytes()[:-1])


def lengthen(folder):
    file = min(folder.iterdir())
    file.write_bytes(file.read_bytes() + b"x")


def take_away(folder):
    min(folder.iterdir()).unlink()


def put_in(folder):
    (folder / ("0" * 32)).write_bytes(b"more")


def link_out(folder):
    file = min(folder.iterdir())
    aside = folder.parent / "aside"
    shutil.move(file, aside)
    file.symlink_to(aside)


def link_manifest(folder):
    aside = folder.parent / "aside.json"
    shutil.move(folder / "manifest.json", aside)
    (folder / "manifest.json").symlink_to(aside)


def pipe(folder):
    file = min(folder.iterdir())
    file.unlink()
    os.mkfifo(file)


def alter_manifest(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["body"]["day"] = "2020-01-01"
    (folder / "manifest.json").write_text(json.dumps(manifest))


def spoil_manifest(folder):
    (folder / "manifest.json").write_bytes(b"{")


@pytest.mark.parametrize(
    ("harm", "reason", "taken"),
    [
        (flip, "it is altered or damaged", 2),
        (shorten, "it is altered or damaged", 2),
        (lengthen, "it is altered or damaged", 2),
        (take_away, "it is missing", 2),
        (put_in, "the manifest does not name it", 3),
        (link_out, "it cannot be read, or is a link", 2),
        (pipe, "it is not a plain file", 2),
    ],
)
def test_an_item_with_harm_done_is_set_aside_by_name_and_the_others_are_taken(
    world, browser, harm, reason, taken
):
    folder = world.bundle(*(world.seal(world.reporter()) for _ in range(3)))
    before = {file.name for file in folder.iterdir()}
    harmed = min(before)
    harm(folder)
    name = "0" * 32 if harm is put_in else harmed
    page = browser.post("/import")
    assert page.status_code == 200
    assert f"The item {name} was not taken: {reason}." in page.text
    assert f"{taken} new messages, <strong>1 set aside</strong>" in page.text
    assert "Everything else was taken" in page.text
    assert set(rows(world)) == before - {"manifest.json", name}
    assert {file.name for file in sealed_files(world)} == set(rows(world))
    assert set(world.desk().cabinet.posts.owed_receipts()) == set(rows(world))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (link_manifest, "it cannot be read, or is a link"),
        (alter_manifest, "not signed by a key that is known here"),
        (spoil_manifest, "its manifest is damaged"),
    ],
)
def test_a_bundle_whose_manifest_does_not_hold_is_refused_whole(world, browser, harm, reason):
    folder = world.bundle(*(world.seal(world.reporter()) for _ in range(3)))
    harm(folder)
    page = browser.post("/import")
    assert page.status_code == 200
    assert reason in page.text
    assert "Nothing of it was taken" in page.text
    assert rows(world) == []
    assert sealed_files(world) == []
    assert world.desk().cabinet.posts.owed_receipts() == {}


def test_what_was_set_aside_is_taken_when_it_comes_again_whole(world):
    sealed = [world.seal(world.reporter()) for _ in range(2)]
    flip(world.bundle(*sealed))
    desk = world.desk()
    assert [(one.new, len(one.aside)) for one in import_all(desk).taken] == [(1, 1)]
    world.bundle(*sealed)
    assert sum(one.new for one in import_all(desk).taken) == 1
    assert set(desk.cabinet.posts.owed_receipts()) == {file.name for file in sealed}


def test_many_that_are_set_aside_are_counted_and_not_all_shown(world, browser):
    folder = world.bundle(world.seal(world.reporter()))
    for number in range(500):
        (folder / f"x{number:03}").touch()
    page = browser.post("/import").text
    assert page.count("the manifest does not name it") == 20
    assert "And 480 more." in page
    assert len(rows(world)) == 1


def test_a_forwarded_id_with_another_content_is_refused_alone(world):
    """One unit forwards an id with another content than it had: the reports beside it are taken, and get receipts."""
    genuine = [world.seal(world.reporter()) for _ in range(5)]
    forged = world.seal(world.reporter())
    sha256 = hashlib.sha256(genuine[0].read_bytes()).hexdigest()
    forged = forged.rename(forged.with_name(forwarded_id(sha256)))
    fitting = world.seal(world.reporter())
    fitting = fitting.rename(
        fitting.with_name(forwarded_id(hashlib.sha256(fitting.read_bytes()).hexdigest()))
    )
    world.bundle(*genuine, forged, fitting)
    desk = world.desk()
    [taken] = import_all(desk).taken
    assert taken.aside == (
        f"The item {forged.name} was not taken: it was passed on, and its name is not that of its content.",
    )
    assert set(rows(world)) == {file.name for file in [*genuine, fitting]}
    assert set(desk.cabinet.posts.owed_receipts()) == set(rows(world))


def test_an_item_for_which_there_is_no_room_keeps_no_smaller_one_back(world, monkeypatch):
    small, large = world.seal(world.reporter()), world.seal(world.reporter(), "x" * 400_000)
    world.bundle(large, small)
    monkeypatch.setattr(SealedFiles, "free_bytes", lambda _: bundle_import._KEEP_FREE + 100_000)
    [taken] = import_all(world.desk()).taken
    assert rows(world) == [small.name]
    assert taken.aside == (f"The item {large.name} was not taken: this desk's disk has no room for it.",)


def test_an_item_that_the_stick_does_not_give_is_set_aside(world, monkeypatch):
    good, bad = sorted(world.seal(world.reporter()) for _ in range(2))
    world.bundle(good, bad)
    real = bundle_item.copy_item

    def fail(of, item, target):
        if item.name == bad.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(of, item, target)

    monkeypatch.setattr(bundle_item, "copy_item", fail)
    [taken] = import_all(world.desk()).taken
    assert rows(world) == [good.name]
    assert taken.aside == (f"The item {bad.name} was not taken: copying it failed (Input/output error).",)


def test_a_refused_bundle_does_not_keep_a_good_one_out(world):
    spoil_manifest(world.bundle(world.seal(world.reporter())))
    world.bundle(world.seal(world.reporter()))
    done = import_all(world.desk())
    assert len(done.refused) == len(done.taken) == 1
    assert len(rows(world)) == 1


def test_a_bundle_signed_by_another_units_courier_is_refused(world):
    world.bundle(world.seal(world.reporter()), key=world.house.other_courier)
    [refused] = import_all(world.desk()).refused
    assert "not signed by a key that is known here" in refused.reason
    assert sealed_files(world) == []


def test_a_bundle_for_another_unit_is_refused(world):
    world.bundle(world.seal(world.reporter()), unit="other-unit")
    [refused] = import_all(world.desk()).refused
    assert "it is for another unit" in refused.reason


def test_a_bundle_of_answers_is_not_imported(world):
    folder = world.bundle(world.seal(world.reporter()))
    folder.rename(world.stick / bundle.folder_name("posts", today(), "0" * 8))
    assert import_all(world.desk()).taken == ()


@pytest.mark.parametrize("name", ["../../desk.sqlite", "/etc/passwd", "a" * 31, "A" * 32, "..", ""])
def test_a_name_that_is_a_path_is_set_aside(world, name):
    folder = world.stick / bundle.folder_name("envelopes", today(), "12345678")
    folder.mkdir()
    item = Item(name, 3, "0" * 64)
    bundle.write_manifest(Bundle(folder, "envelopes", "demo-unit", today(), (item,)), world.house.courier)
    [taken] = import_all(world.desk()).taken
    assert len(taken.aside) == 1
    assert "the manifest's entry for it is damaged" in taken.aside[0]
    assert sealed_files(world) == []


def test_a_known_envelope_with_another_content_is_set_aside_and_the_known_one_stays(world):
    sealed = world.seal(world.reporter())
    world.bundle(sealed)
    desk = world.desk()
    import_all(desk)
    kept = desk.files.envelope(sealed.name).read_bytes()
    sealed.write_bytes(world.seal(world.reporter()).read_bytes())
    other = world.seal(world.reporter())
    world.bundle(sealed, other)
    [aside] = [sentence for taken in import_all(desk).taken for sentence in taken.aside]
    assert f"The item {sealed.name} was not taken: it is known here with another content" in aside
    assert desk.files.envelope(sealed.name).read_bytes() == kept
    assert set(rows(world)) == {sealed.name, other.name}
    assert desk.cabinet.posts.owed_receipts()[sealed.name] == hashlib.sha256(kept).hexdigest()


def test_a_sealed_file_that_was_lost_comes_back_with_the_bundle(world):
    sealed = world.seal(world.reporter())
    world.bundle(sealed)
    desk = world.desk()
    import_all(desk)
    desk.files.envelope(sealed.name).unlink()
    assert [(taken.new, taken.known) for taken in import_all(desk).taken] == [(0, 1)]
    assert desk.files.envelope(sealed.name).read_bytes() == sealed.read_bytes()


def test_an_unfinished_bundle_is_left_alone(world):
    folder = world.bundle(world.seal(world.reporter()))
    folder.rename(world.stick / f".partial-{folder.name}")
    done = import_all(world.desk())
    assert (done.taken, done.refused) == ((), ())


def test_an_empty_stick_and_a_missing_one_are_said_so(world, browser):
    assert "No finished bundle is on the stick" in browser.post("/import").text
    world.stick.rmdir()
    assert "No finished bundle is on the stick" in browser.post("/import").text
    assert "Put in the stick" in browser.get("/import").text


def test_two_imports_at_once_do_not_meet(world, browser):
    desk = world.desk()
    with desk.alone():
        with pytest.raises(StickBusy):
            import_all(world.desk())
        answer = browser.post("/import")
    assert answer.status_code == 409
    assert "busy with the stick" in answer.text
    assert browser.post("/import").status_code == 200


def test_an_older_registry_than_one_already_seen_stops_imports(world, browser):
    seven, at = (
        registries.verify(world.house.registry, world.house.root, today()),
        world.folder / "registry.json",
    )
    world.desk().settings.load_registry()
    for version in (9, 8):
        at.write_bytes(sign_registry(replace(seven, version=version), world.house.folder / "root.key"))
        refused = version == 8
        answer = browser.post("/import", follow_redirects=True)
        said = (
            "The registry is refused: its version 8 is older than 9, seen before, so put the newest in place"
        )
        assert (said in answer.text) == refused, answer.text
        with pytest.raises(RegistryRefused) if refused else nullcontext():
            world.desk().settings.load_registry()  # a desk that was started anew knows it too


def test_an_expired_or_altered_registry_stops_imports_and_not_reading(world, browser):
    reporter = world.reporter()
    world.bundle(world.seal(reporter, "Still readable."))
    browser.post("/import")
    registry = json.loads((world.folder / "registry.json").read_text())
    registry["body"]["version"] = 8
    (world.folder / "registry.json").write_text(json.dumps(registry))
    answer = browser.post("/import")
    assert answer.status_code == 409
    assert "The registry is refused: its signature does not hold" in answer.text
    assert "Still readable." in browser.get(f"/conversations/{reporter.identity}").text
    assert "its signature does not hold" in browser.get("/about").text
