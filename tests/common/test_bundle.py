"""A bundle on the stick: taken whole as it was signed, or refused with the reason."""

import hashlib
import os
import shutil
import socket
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import bundle, canonical, signing
from common.bundle import Bundle, BundleRefused, Item
from common.days import today

KEY = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
SIGNERS = (KEY.public_key().public_bytes_raw(),)
CONTENTS = {"0" * 32: b"sealed one", "a" * 32: b"", "f" * 32: bytes(range(256)) * 10}


@pytest.fixture
def made(tmp_path):
    """A finished bundle of three items."""
    folder = tmp_path / bundle.folder_name("envelopes", today(), "0123abcd")
    folder.mkdir()
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    finished = Bundle(
        folder, "envelopes", "u", today(), tuple(bundle.describe(folder / name) for name in CONTENTS)
    )
    bundle.write_manifest(finished, KEY)
    return finished


def read(made, kind="envelopes", unit="u", signers=SIGNERS):
    return bundle.read_manifest(made.folder, kind, unit, signers)


def take(made, target):
    """The whole of it, as the desk takes it."""
    found = read(made)
    for item in found.items:
        bundle.copy_item(found, item, target / item.name)
        assert bundle.read_item(found, item, 10_000) == (target / item.name).read_bytes()


def refused(made, match="", **how):
    with pytest.raises(BundleRefused, match=match) as refusal:
        read(made, **how)
    assert str(refusal.value).startswith("This bundle is refused: ")
    assert str(refusal.value).endswith("Nothing of it was taken.")


def resigned(made, key=KEY, context=bundle._CONTEXT, **changed):
    body = canonical.inner(canonical.load((made.folder / "manifest.json").read_bytes()), "body")
    (made.folder / "manifest.json").write_bytes(signing.sign({**body, **changed}, context, key))


def test_a_bundle_is_taken_as_it_was_made(made, tmp_path):
    assert read(made) == made
    (tmp_path / "target").mkdir()
    take(made, tmp_path / "target")
    assert {path.name: path.read_bytes() for path in (tmp_path / "target").iterdir()} == CONTENTS


def test_bundles_are_found_by_kind_and_only_real_folders(made, tmp_path):
    replies = tmp_path / bundle.folder_name("replies", today(), "89abcdef")
    replies.mkdir()
    (tmp_path / bundle.folder_name("envelopes", today(), "00000000")).write_bytes(b"a file")
    (tmp_path / bundle.folder_name("envelopes", today(), "11111111")).symlink_to(made.folder)
    (tmp_path / (made.folder.name + ".part")).mkdir()
    assert bundle.found(tmp_path, "envelopes") == [made.folder]
    assert bundle.found(tmp_path, "replies") == [replies]
    assert bundle.found(tmp_path / "no stick", "replies") == []


def test_a_bundle_without_a_manifest_is_not_finished(made):
    (made.folder / "manifest.json").unlink()
    refused(made, "manifest.json cannot be read")


def test_another_signer_unit_or_kind_is_refused(made):
    refused(made, "not signed by a key that is known", signers=())
    refused(made, "not signed by a key that is known", signers=(bytes(32),))
    refused(made, "another unit", unit="other")
    refused(made, "does not hold replies", kind="replies")
    assert read(made, signers=(bytes(32), *SIGNERS)) == made
    resigned(made, Ed25519PrivateKey.generate())
    refused(made, "not signed")
    resigned(made, context="candour/1 registry")
    refused(made, "not signed")


def test_a_missing_and_a_further_file_are_named(made):
    (made.folder / ("f" * 32)).rename(made.folder / ("e" * 32))
    refused(made, "the item f{32} is missing")
    (made.folder / ("f" * 32)).write_bytes(b"")
    refused(made, "a file that its manifest does not name")


@pytest.mark.parametrize(
    "add", [lambda p: p.mkdir(), lambda p: p.symlink_to("/etc"), os.mkfifo, lambda p: p.touch()]
)
@pytest.mark.parametrize("name", ["sub", ".hidden", "b" * 32, "manifest.json.part"])
def test_nothing_else_may_lie_in_it(made, add, name):
    add(made.folder / name)
    refused(made, "does not name")


def link(path):
    shutil.move(path, path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def replaced_by(make):
    def change(path):
        path.unlink()
        make(path)

    return change


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(path.parent, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)


@pytest.mark.parametrize(
    "change", [link, replaced_by(os.mkfifo), replaced_by(lambda path: path.mkdir()), replaced_by(a_socket)]
)
@pytest.mark.parametrize("name", ["0" * 32, "manifest.json"])
def test_what_is_no_plain_file_is_refused_without_waiting(made, tmp_path, change, name):
    (tmp_path / "target").mkdir()
    change(made.folder / name)
    with pytest.raises(BundleRefused, match=r"is a link|not a plain file"):
        take(made, tmp_path / "target")
    if name != "manifest.json":
        with pytest.raises(BundleRefused):
            bundle.read_item(made, made.items[0], 10_000)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "0" * 31 + "/",
        "",
        ".",
        "..",
        "manifest.json",
        "0" * 31,
        "A" * 32,
        "0" * 32 + "\n",
        3,
        None,
    ],
)
def test_an_item_whose_name_is_none_is_refused(made, name):
    resigned(made, items=[{"name": name, "size": 0, "sha256": "0" * 64}])
    refused(made, "manifest is damaged")


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        {"name": "0" * 32, "size": -1, "sha256": "0" * 64},
        {"name": "0" * 32, "size": "1", "sha256": "0" * 64},
        {"name": "0" * 32, "size": 1, "sha256": "0" * 63},
        {"name": "0" * 32, "size": 1, "sha256": "G" * 64},
        {"name": "0" * 32, "size": 1},
    ],
)
def test_an_item_of_the_wrong_shape_is_refused(made, item):
    resigned(made, items=[item])
    refused(made, "manifest is damaged")


@pytest.mark.parametrize("changed", [{"kind": None}, {"unit": 1}, {"day": "x"}, {"items": {}}])
def test_a_signed_manifest_of_the_wrong_shape_is_refused(made, changed):
    resigned(made, **changed)
    refused(made, "manifest is damaged")


def test_an_item_named_twice_is_refused(made):
    twice = replace(made, items=(*made.items, made.items[0]))
    bundle.write_manifest(twice, KEY)
    refused(made, "names an item twice")


def test_too_many_items_are_refused(made):
    many = tuple(Item(f"{n:032x}", 0, "0" * 64) for n in range(bundle.MOST_ITEMS + 1))
    bundle.write_manifest(replace(made, items=many), KEY)
    refused(made, "too many")


def test_a_manifest_beyond_all_bounds_is_refused(made):
    with (made.folder / "manifest.json").open("ab") as stream:
        stream.truncate(10 * 1024**3)  # sparse: 10 GiB that would be read
    refused(made, "manifest is damaged")


@pytest.mark.parametrize(
    "change", [lambda c: c + b"x", lambda c: c[:-1], lambda c: b"X" + c[1:], lambda c: b""]
)
def test_an_altered_item_is_refused_and_named(made, tmp_path, change):
    item = made.items[0]
    file = made.folder / item.name
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(BundleRefused, match=r"the item 0{32} is altered or damaged"):
        bundle.copy_item(made, item, tmp_path / "copy")
    with pytest.raises(BundleRefused, match="altered or damaged"):
        bundle.read_item(made, item, 10_000)


def test_an_item_larger_than_it_says_is_not_copied_to_its_end(made, tmp_path):
    with (made.folder / made.items[0].name).open("ab") as stream:
        stream.truncate(10 * 1024**3)
    with pytest.raises(BundleRefused):
        bundle.copy_item(made, made.items[0], tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size < 10_000_000


def test_an_item_larger_than_the_most_is_not_read(made):
    with pytest.raises(BundleRefused, match="too large"):
        bundle.read_item(made, made.items[2], 2559)


def test_a_copy_never_overwrites(made, tmp_path):
    (tmp_path / "copy").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        bundle.copy_item(made, made.items[0], tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"mine"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_changed_byte_anywhere_is_refused(made, tmp_path, data):
    name = data.draw(st.sampled_from(["manifest.json", "0" * 32, "f" * 32]))
    file = made.folder / name
    good = file.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != good[at]))
    target = tmp_path / hashlib.sha256(f"{name}{at}{other}".encode()).hexdigest()
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    try:
        file.write_bytes(good[:at] + bytes([other]) + good[at + 1 :])
        with pytest.raises(BundleRefused):
            take(made, target)
    finally:
        file.write_bytes(good)


def test_a_file_is_described_by_its_hash(made):
    assert made.items[2] == Item("f" * 32, 2560, hashlib.sha256(CONTENTS["f" * 32]).hexdigest())
