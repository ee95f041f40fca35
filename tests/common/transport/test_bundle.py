"""A bundle on the stick: each item as it was signed, or set aside by name with the reason."""

import hashlib
import os
import shutil
import socket
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import canonical, signing
from common.contexts import Context
from common.days import today
from common.transport import bundle, bundle_item
from common.transport.bundle import Bundle, BundleRefused, Returned
from common.transport.bundle_item import Item, ItemRefused

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
        folder, "envelopes", "u", today(), tuple(bundle_item.describe(folder / name) for name in CONTENTS)
    )
    bundle.write_manifest(finished, KEY)
    return finished


def read(made, kind="envelopes", unit="u", signers=SIGNERS):
    return bundle.read_manifest(made.folder, kind, unit, signers)


def take(made, target):
    """As the desk takes it: what was set aside, by name."""
    found = read(made)
    aside = {refused.name: refused.reason for refused in found.refused}
    for item in found.items:
        try:
            bundle_item.copy_item(found.folder, item, target / item.name)
        except ItemRefused as refused:
            aside[refused.name] = refused.reason
            assert not (target / item.name).exists()
            with pytest.raises(ItemRefused):
                bundle_item.check_item(found.folder, item)
            with pytest.raises(ItemRefused):
                bundle_item.read_item(found.folder, item, 10_000)
        else:
            bundle_item.check_item(found.folder, item)
            assert bundle_item.read_item(found.folder, item, 10_000) == (target / item.name).read_bytes()
    return aside


def taken(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def without(*names):
    return {name: content for name, content in CONTENTS.items() if name not in names}


def refused(made, match="", **how):
    with pytest.raises(BundleRefused, match=match) as refusal:
        read(made, **how)
    assert str(refusal.value).startswith("This bundle is refused: ")
    assert str(refusal.value).endswith("Nothing of it was taken.")


def resigned(made, key=KEY, context=Context.BUNDLE, **changed):
    body = canonical.inner(canonical.load((made.folder / "manifest.json").read_bytes()), "body")
    (made.folder / "manifest.json").write_bytes(signing.sign({**body, **changed}, context, key))


def test_a_bundle_is_taken_as_it_was_made(made, tmp_path):
    assert read(made) == made
    (tmp_path / "target").mkdir()
    assert take(made, tmp_path / "target") == {}
    assert taken(tmp_path / "target") == CONTENTS


def test_what_a_courier_says_of_posts_comes_along(made):
    said = replace(
        made, delivered=("b" * 32,), returned=(Returned("c" * 32, "no-place"), Returned("d" * 32, "refused"))
    )
    bundle.write_manifest(said, KEY)
    assert read(made) == said


@pytest.mark.parametrize(
    "changed",
    [
        {"delivered": ["b" * 31]},
        {"delivered": [1]},
        {"delivered": {}},
        {"returned": ["c" * 32]},
        {"returned": [{"post": "c" * 32, "why": "other"}]},
        {"returned": [{"post": "../c", "why": "refused"}]},
    ],
)
def test_what_is_said_of_posts_in_the_wrong_shape_is_refused(made, changed):
    resigned(made, **changed)
    refused(made, "manifest is damaged")


def test_bundles_are_found_by_kind_and_only_real_folders(made, tmp_path):
    posts = tmp_path / bundle.folder_name("posts", today(), "89abcdef")
    posts.mkdir()
    (tmp_path / bundle.folder_name("envelopes", today(), "00000000")).write_bytes(b"a file")
    (tmp_path / bundle.folder_name("envelopes", today(), "11111111")).symlink_to(made.folder)
    (tmp_path / (made.folder.name + ".part")).mkdir()
    assert bundle.found(tmp_path, "envelopes") == [made.folder]
    assert bundle.found(tmp_path, "posts") == [posts]
    assert bundle.found(tmp_path / "no stick", "posts") == []


def test_a_bundle_without_a_manifest_is_not_finished(made):
    (made.folder / "manifest.json").unlink()
    refused(made, "of its manifest, it is missing")


def test_another_signer_unit_or_kind_is_refused(made):
    refused(made, "not signed by a key that is known", signers=())
    refused(made, "not signed by a key that is known", signers=(bytes(32),))
    refused(made, "another unit", unit="other")
    refused(made, "does not hold posts", kind="posts")
    assert read(made, signers=(bytes(32), *SIGNERS)) == made
    resigned(made, Ed25519PrivateKey.generate())
    refused(made, "not signed")
    resigned(made, context=Context.REGISTRY)
    refused(made, "not signed")


def test_a_missing_and_a_further_file_are_named_and_the_others_are_taken(made, tmp_path):
    (made.folder / ("f" * 32)).rename(made.folder / ("e" * 32))
    (tmp_path / "target").mkdir()
    assert take(made, tmp_path / "target") == {
        "e" * 32: "the manifest does not name it",
        "f" * 32: "it is missing",
    }
    assert taken(tmp_path / "target") == without("f" * 32)


@pytest.mark.parametrize(
    "add", [lambda p: p.mkdir(), lambda p: p.symlink_to("/etc"), os.mkfifo, lambda p: p.touch()]
)
@pytest.mark.parametrize("name", ["sub", ".hidden", "b" * 32, "manifest.json.part", "a\x1b[2Jb" + "c" * 200])
def test_whatever_else_lies_in_it_is_named_and_keeps_nothing_back(made, tmp_path, add, name):
    add(made.folder / name)
    (tmp_path / "target").mkdir()
    [(shown, reason)] = take(made, tmp_path / "target").items()
    assert reason == "the manifest does not name it"
    assert shown == name.replace("\x1b", "")[:64]
    assert taken(tmp_path / "target") == CONTENTS


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
    if name == "manifest.json":
        refused(made, "is a link|not a plain file")
        return
    [(aside, reason)] = take(made, tmp_path / "target").items()
    assert aside == name
    assert reason in ("it cannot be read, or is a link", "it is not a plain file")
    assert taken(tmp_path / "target") == without(name)


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
def test_an_item_whose_name_is_none_is_set_aside(made, tmp_path, name):
    good = [vars(item) for item in made.items]
    resigned(made, items=[*good, {"name": name, "size": 0, "sha256": "0" * 64}])
    (tmp_path / "target").mkdir()
    assert list(take(made, tmp_path / "target").values()) == ["the manifest's entry for it is damaged"]
    assert taken(tmp_path / "target") == CONTENTS


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
def test_an_item_of_the_wrong_shape_is_set_aside(made, tmp_path, item):
    resigned(made, items=[*(vars(one) for one in made.items[1:]), item])
    (tmp_path / "target").mkdir()
    assert "the manifest's entry for it is damaged" in take(made, tmp_path / "target").values()
    assert taken(tmp_path / "target") == without("0" * 32)


@pytest.mark.parametrize("changed", [{"kind": None}, {"unit": 1}, {"day": "x"}, {"items": {}}])
def test_a_signed_manifest_of_the_wrong_shape_is_refused(made, changed):
    resigned(made, **changed)
    refused(made, "manifest is damaged")


def test_an_item_named_twice_is_set_aside(made, tmp_path):
    twice = replace(made, items=(*made.items, replace(made.items[0], sha256="0" * 64)))
    bundle.write_manifest(twice, KEY)
    (tmp_path / "target").mkdir()
    assert take(made, tmp_path / "target")["0" * 32] == "the manifest names it twice"
    assert taken(tmp_path / "target") == without("0" * 32)


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
    with pytest.raises(ItemRefused, match=r"The item 0{32} was not taken: it is altered or damaged\."):
        bundle_item.copy_item(made.folder, item, tmp_path / "copy")
    with pytest.raises(ItemRefused, match="altered or damaged"):
        bundle_item.read_item(made.folder, item, 10_000)


def test_an_item_larger_than_it_says_is_not_copied_to_its_end(made, tmp_path):
    with (made.folder / made.items[0].name).open("ab") as stream:
        stream.truncate(10 * 1024**4)  # more than any disk or patience has
    for look in (
        lambda: bundle_item.copy_item(made.folder, made.items[0], tmp_path / "copy"),
        lambda: bundle_item.check_item(made.folder, made.items[0]),
    ):
        with pytest.raises(ItemRefused):
            look()
    assert not (tmp_path / "copy").exists()


def test_an_item_larger_than_the_most_is_not_read(made):
    with pytest.raises(ItemRefused, match="too large"):
        bundle_item.read_item(made.folder, made.items[2], 2559)


def test_a_copy_never_overwrites(made, tmp_path):
    (tmp_path / "copy").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        bundle_item.copy_item(made.folder, made.items[0], tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"mine"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_changed_byte_anywhere_is_refused_and_other_items_are_taken(made, tmp_path, data):
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
        if name == "manifest.json":
            with pytest.raises(BundleRefused):
                take(made, target)
            assert taken(target) == {}
        else:
            assert list(take(made, target)) == [name]
            assert taken(target) == without(name)
    finally:
        file.write_bytes(good)


def test_a_file_is_described_by_its_hash(made):
    assert made.items[2] == Item("f" * 32, 2560, hashlib.sha256(CONTENTS["f" * 32]).hexdigest())
