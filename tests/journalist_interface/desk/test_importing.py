"""Bundles: taken whole, or refused with the reason; known when they come again."""

import json
import os
import shutil
from contextlib import nullcontext
from dataclasses import replace

import pytest

from common import bundle
from common import registry as registries
from common.bundle import Bundle, Item
from common.days import today
from common.registry import RegistryRefused
from journalist_interface.desk.importing import import_all
from journalist_interface.desk.workplace import StickBusy
from keys.registry import sign_registry


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
    assert [(taken.new, taken.known) for taken in done.taken] == [(0, 1)]
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
    ("harm", "reason"),
    [
        (flip, "is altered or damaged"),
        (shorten, "is altered or damaged"),
        (lengthen, "is altered or damaged"),
        (take_away, "is missing"),
        (put_in, "holds a file that its manifest does not name"),
        (link_out, "cannot be read, or is a link"),
        (link_manifest, "cannot be read, or is a link"),
        (pipe, "is not a plain file"),
        (alter_manifest, "not signed by a key that is known here"),
        (spoil_manifest, "its manifest is damaged"),
    ],
)
def test_a_bundle_with_harm_done_is_refused_whole(world, browser, harm, reason):
    folder = world.bundle(*(world.seal(world.reporter()) for _ in range(3)))
    harm(folder)
    page = browser.post("/import")
    assert page.status_code == 200
    assert reason in page.text
    assert "Nothing of it was taken" in page.text
    assert rows(world) == []
    assert sealed_files(world) == []


def test_a_refused_bundle_does_not_keep_a_good_one_out(world):
    flip(world.bundle(world.seal(world.reporter())))
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
    folder.rename(world.stick / bundle.folder_name("replies", today(), "0" * 8))
    assert import_all(world.desk()).taken == ()


@pytest.mark.parametrize("name", ["../../desk.sqlite", "/etc/passwd", "a" * 31, "A" * 32, "..", ""])
def test_a_name_that_is_a_path_is_refused(world, name):
    folder = world.stick / bundle.folder_name("envelopes", today(), "12345678")
    folder.mkdir()
    item = Item(name, 3, "0" * 64)
    bundle.write_manifest(Bundle(folder, "envelopes", "demo-unit", today(), (item,)), world.house.courier)
    [refused] = import_all(world.desk()).refused
    assert "its manifest is damaged" in refused.reason
    assert sealed_files(world) == []


def test_a_known_envelope_with_another_content_is_refused(world):
    sealed = world.seal(world.reporter())
    world.bundle(sealed)
    desk = world.desk()
    import_all(desk)
    kept = desk.files.envelope(sealed.name).read_bytes()
    sealed.write_bytes(world.seal(world.reporter()).read_bytes())
    world.bundle(sealed, world.seal(world.reporter()))
    [refused] = import_all(desk).refused
    assert f"the item {sealed.name} is known here with another content" in refused.reason
    assert desk.files.envelope(sealed.name).read_bytes() == kept
    assert rows(world) == [sealed.name]


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
