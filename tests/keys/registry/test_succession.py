"""A new root: the old one names it, each place follows by a command, and versions only rise."""

from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical
from common.days import today
from common.durable import write_whole
from common.registry import registry as registries
from common.registry.registry import MOST_VERSION, RegistryRefused
from keys.commands.main import keys
from keys.private_key import read_private_key, write_private_key
from keys.registry import succession as successions
from keys.registry.publication import NotPublished, publish
from keys.registry.root import new_root
from keys.registry.signature import sign_registry
from keys.registry.succession import (
    Succession,
    SuccessionRefused,
    follow,
    read_succession,
    replace_root,
    succeed,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Three roots' key files: the old one, the new one, and somebody else's."""
    folder = tmp_path_factory.mktemp("roots")
    files = [folder / f"{name}.key" for name in ("old", "new", "other")]
    for file in files:
        new_root(file)
    return files


def public(file):
    return read_private_key(file).public_key().public_bytes_raw()


@pytest.fixture
def signed(registry):
    def make(version, root, **changed):
        return sign_registry(replace(registry, version=version, **changed), root)

    return make


@pytest.fixture
def place(tmp_path, roots, signed):
    """A folder that trusts the old root and has its version 4."""
    (tmp_path / "registry-root.pub").write_text(public(roots[0]).hex())
    (tmp_path / "registry.json").write_bytes(signed(4, roots[0]))
    return tmp_path


@pytest.fixture
def named(roots):
    """The old root names the new one, from version 5 on."""
    return read_succession(succeed(read_private_key(roots[0]), read_private_key(roots[1]), 5))


def trusts(folder):
    return bytes.fromhex((folder / "registry-root.pub").read_text())


def in_place(folder):
    return registries.verify((folder / "registry.json").read_bytes(), trusts(folder), today()).version


def test_a_place_follows_the_root_that_its_own_root_named_and_again_is_no_harm(place, named, roots, signed):
    for version in (5, 5, 6):
        follow(place, signed(version, roots[1]), named)
        assert (trusts(place), in_place(place)) == (public(roots[1]), version)
    with pytest.raises(NotPublished, match="has version 6, and this is 5"):
        follow(place, signed(5, roots[1]), named)


def test_a_place_that_trusts_another_root_does_not_follow(place, named, roots, signed):
    (place / "registry-root.pub").write_text(public(roots[2]).hex())
    with pytest.raises(SuccessionRefused, match="another root"):
        follow(place, signed(5, roots[1]), named)
    assert trusts(place) == public(roots[2])


def test_an_older_version_does_not_come_back_with_a_new_root(place, named, roots, signed):
    before = (place / "registry.json").read_bytes()
    with pytest.raises(NotPublished, match="from version 5 on"):
        follow(place, signed(4, roots[1]), named)
    (place / "registry.json").write_bytes(newer := signed(9, roots[0]))
    with pytest.raises(NotPublished, match="has version 9"):
        follow(place, signed(8, roots[1]), named)
    with pytest.raises(NotPublished, match="has version 9"):
        replace_root(place, signed(8, roots[2]), public(roots[2]))
    assert trusts(place) == public(roots[0])
    assert (place / "registry.json").read_bytes() == newer != before


def test_the_same_registry_signed_by_both_may_take_the_place_of_itself_and_no_other_of_its_version(
    place, named, roots, signed, registry
):
    (place / "registry.json").write_bytes(signed(7, roots[0]))
    with pytest.raises(NotPublished):
        follow(place, signed(7, roots[1], expires=registry.expires - timedelta(days=1)), named)
    follow(place, signed(7, roots[1]), named)
    assert in_place(place) == 7


def test_cut_short_between_the_two_files_it_takes_nothing_in_and_is_mended_by_another_try(
    place, named, roots, signed, monkeypatch
):
    def write_one(file, content, mode):
        write_whole(file, content, mode)
        raise KeyboardInterrupt

    monkeypatch.setattr(successions, "write_whole", write_one)
    with pytest.raises(KeyboardInterrupt):
        follow(place, signed(5, roots[1]), named)
    with pytest.raises(RegistryRefused):
        in_place(place)
    monkeypatch.setattr(successions, "write_whole", write_whole)
    follow(place, signed(5, roots[1]), named)
    assert in_place(place) == 5


def test_one_changed_bit_of_a_succession_is_refused(roots):
    whole = succeed(read_private_key(roots[0]), read_private_key(roots[1]), 5)
    for at in range(len(whole)):
        with pytest.raises(SuccessionRefused):
            read_succession(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])


def test_it_needs_both_signatures_each_for_its_own_purpose(roots):
    old, new = map(read_private_key, roots[:2])
    document = canonical.load(succeed(old, new, 5))
    for wrong in (
        {"by_old": document["by_new"]},
        {"by_new": document["by_old"]},
        {"by_old": document["by_new"], "by_new": document["by_old"]},
    ):
        with pytest.raises(SuccessionRefused):
            read_succession(canonical.dump({**document, **wrong}))
    for junk in (b"", b"{}", canonical.dump({**document, "body": {}})):
        with pytest.raises(SuccessionRefused):
            read_succession(junk)
    with pytest.raises(SuccessionRefused, match="same key"):
        succeed(old, old, 5)
    assert read_succession(canonical.dump(document)) == Succession(public(roots[0]), public(roots[1]), 5)


def test_by_hand_a_root_is_put_in_place_whatever_was_there_if_the_registry_is_its_own(place, roots, signed):
    with pytest.raises(RegistryRefused):
        replace_root(place, signed(5, roots[1]), public(roots[2]))
    assert in_place(place) == 4
    replace_root(place, signed(5, roots[2]), public(roots[2]))
    assert (trusts(place), in_place(place)) == (public(roots[2]), 5)
    (place / "registry-root.pub").write_text("junk")
    replace_root(place, signed(6, roots[1]), public(roots[1]))
    assert (trusts(place), in_place(place)) == (public(roots[1]), 6)


def test_by_hand_a_version_that_leaves_none_higher_is_no_hindrance(place, roots, signed):
    (place / "registry.json").write_bytes(signed(MOST_VERSION, roots[0]))
    replace_root(place, signed(5, roots[2]), public(roots[2]))
    assert (trusts(place), in_place(place)) == (public(roots[2]), 5)


def test_a_registry_of_a_root_that_a_place_does_not_trust_is_not_published_there(place, roots, signed):
    with pytest.raises(NotPublished, match="another root"):
        publish(signed(5, roots[1]), public(roots[1]), place)
    assert in_place(place) == 4
    publish(signed(5, roots[0]), public(roots[0]), place)
    assert in_place(place) == 5


def test_the_commands_ask_for_both_passphrases_and_repeat_none(tmp_path, signed, place, roots):
    phrases = ("the old phrase, long", "the new phrase, long")
    old, new = Ed25519PrivateKey.generate(), tmp_path / "root-2.key"
    write_private_key(tmp_path / "root.key", old, phrases[0])
    (place / "registry-root.pub").write_text(old.public_key().public_bytes_raw().hex())
    (place / "registry.json").unlink()
    said = [
        run("root", "new", new, typed=[phrases[1]] * 2),
        run(
            "root", "succeed", tmp_path / "root.key", new, tmp_path / "s.json", "--version", 5, typed=phrases
        ),
    ]
    (tmp_path / "r.json").write_bytes(sign_it(signed, new, phrases[1]))
    said.append(run("root", "trust", tmp_path / "r.json", place, "--succession", tmp_path / "s.json"))
    assert "Start again what runs there" in said[-1]
    assert in_place(place) == 5
    assert not any(phrase in output for phrase in phrases for output in said)
    assert "Give --succession FILE" in run("root", "trust", tmp_path / "r.json", place, code=2)
    both = ("--succession", tmp_path / "s.json", "--root", "ab" * 32)
    assert "Give --succession FILE" in run("root", "trust", tmp_path / "r.json", place, *both, code=2)


def sign_it(signed, key_file, phrase):
    plain = key_file.with_name("plain.key")
    write_private_key(plain, read_private_key(key_file, phrase))
    return signed(5, plain)


def run(*words, typed=(), code=0):
    done = CliRunner().invoke(
        keys, [str(word) for word in words], input="".join(f"{line}\n" for line in typed)
    )
    assert done.exit_code == code, done.output
    return done.output
