"""Signing the registry: what is signed is what the servers will take, and every certificate was looked at."""

import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from common.days import today
from common.gpg.runner import gpg_environment, private_home
from common.registry import registry as registries
from common.registry.registry import RegistryRefused
from common.registry.units import Status
from common.version import VERSION
from keys.private_key import NoSuchKey
from keys.registry.root import new_root
from keys.registry.signature import UnfitRegistry, sign_registry
from keys.unit.unit_keys import new_unit


def with_unit(registry, **changed):
    return replace(registry, units=(replace(registry.units[0], **changed), *registry.units[1:]))


def test_what_is_signed_is_read_by_the_servers(registry, root_key):
    signed = sign_registry(registry, root_key.file)
    assert registries.verify(signed, root_key.public, today()) == registry


def test_what_is_signed_names_the_candour_that_signed_it(registry, root_key):
    signed = sign_registry(replace(registry, signed_with="9.9.9"), root_key.file)
    assert registries.verify(signed, root_key.public, today()).signed_with == VERSION


def test_a_root_key_with_a_passphrase_signs_with_it_alone(registry, tmp_path):
    public = new_root(tmp_path / "root", "a passphrase")
    signed = sign_registry(registry, tmp_path / "root", "a passphrase")
    assert registries.verify(signed, public, today()) == registry
    for wrong in (None, "another"):
        with pytest.raises(NoSuchKey):
            sign_registry(registry, tmp_path / "root", wrong)


def test_a_certificate_that_its_fingerprint_does_not_name_is_not_signed(registry, root_key):
    first, second, _ = registry.units
    for changed in (
        {"certificate": second.certificate},
        {"fingerprint": second.fingerprint},
        {"fingerprint": first.fingerprint.lower()},
        {"certificate": ""},
        {"certificate": "junk"},
        {"certificate": first.certificate + second.certificate},
        {"certificate": first.certificate[: len(first.certificate) // 2]},
    ):
        with pytest.raises(UnfitRegistry, match="test-unit is not the one that its fingerprint names"):
            sign_registry(with_unit(registry, **changed), root_key.file)


@pytest.fixture(scope="module")
def certificate(short_folder):
    """Makes a certificate with gpg; gives (certificate, fingerprint)."""

    def make(name, *, days_ago=0, hour=0, lasts="1y", subkey_lasts="1y", usage="encr", revoke=False):
        home = private_home(short_folder() / "gnupg")
        clock = ["--faked-system-time", f"{today() - timedelta(days=days_ago):%Y%m%d}T{hour:02}0000!"]

        def gpg(*arguments, stdin=None):
            options = ["--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", *clock]
            command = ["gpg", "--homedir", home, *options, *arguments]
            return subprocess.run(
                command, input=stdin, capture_output=True, check=True, env=gpg_environment()
            ).stdout.decode()

        gpg("--quick-gen-key", name, "ed25519", "cert", lasts)
        listed = gpg("--list-keys", "--with-colons").splitlines()
        fingerprint = next(row.split(":")[9] for row in listed if row.startswith("fpr"))
        if usage:
            gpg("--quick-add-key", fingerprint, "cv25519", usage, subkey_lasts)
        if revoke:
            text = (home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
            gpg("--import", stdin=text.replace(":-----BEGIN", "-----BEGIN").encode())
        return gpg("--armor", "--export", fingerprint), fingerprint

    return make


@pytest.mark.parametrize(
    "how",
    [{"days_ago": 400}, {"days_ago": 400, "subkey_lasts": "3y"}, {"revoke": True}, {"usage": ""}],
    ids=["expired", "primary expired", "revoked", "certify-only"],
)
def test_a_certificate_that_cannot_be_sealed_to_is_not_signed(registry, root_key, certificate, how):
    armoured, fingerprint = certificate("A Unit", **how)
    draft = with_unit(registry, certificate=armoured, fingerprint=fingerprint)
    with pytest.raises(UnfitRegistry, match="test-unit is expired, revoked, or cannot be sealed to"):
        sign_registry(draft, root_key.file)


def test_a_certificate_that_counts_from_tomorrow_is_not_signed_before(registry, root_key, certificate):
    armoured, fingerprint = certificate("A Unit", hour=12)
    draft = with_unit(registry, certificate=armoured, fingerprint=fingerprint)
    with pytest.raises(UnfitRegistry, match="test-unit can be sealed to from tomorrow on"):
        sign_registry(draft, root_key.file)
    armoured, fingerprint = certificate("A Unit", hour=12, days_ago=1)
    assert sign_registry(with_unit(registry, certificate=armoured, fingerprint=fingerprint), root_key.file)


def test_keys_made_by_our_own_ceremony_count_on_their_first_day(registry, root_key, short_folder):
    made = new_unit(short_folder(), "test-unit", "A Unit", passphrase=None)
    draft = with_unit(registry, certificate=made.certificate, fingerprint=made.fingerprint)
    assert sign_registry(draft, root_key.file)


def test_a_valid_certificate_made_by_another_tool_is_signed(registry, root_key, certificate):
    armoured, fingerprint = certificate("A Unit", lasts="60d")
    assert sign_registry(with_unit(registry, certificate=armoured, fingerprint=fingerprint), root_key.file)


def test_dates_that_make_no_sense_are_not_signed(registry, root_key):
    for days in (0, 1, 100):
        with pytest.raises(UnfitRegistry, match="expire before it is issued"):
            sign_registry(replace(registry, expires=registry.issued - timedelta(days=days)), root_key.file)


def test_a_list_that_the_servers_would_refuse_is_not_signed(registry, root_key):
    first, second, desk = registry.units
    for changed, said in (
        ((), "no unit, or one twice"),
        ((first, replace(second, id=first.id), desk), "no unit, or one twice"),
        ((first, replace(second, couriers=first.couriers), desk), "a courier belongs to two"),
        ((first, second), "one charity's desk"),
        ((replace(first, conflict_route=second.id), second, desk), "and overseers"),
    ):
        with pytest.raises(RegistryRefused, match=said):
            sign_registry(replace(registry, units=changed), root_key.file)


def test_the_certificate_of_an_identity_key_is_looked_at_too(registry, root_key, certificate):
    armoured, fingerprint = certificate("Held apart")
    holders = {"identity_holders": {"first": b"1" * 32, "second": b"2" * 32}}
    good = {"identity_certificate": armoured, "identity_fingerprint": fingerprint} | holders
    assert sign_registry(with_unit(registry, **good), root_key.file)
    swapped = good | {"identity_fingerprint": fingerprint[::-1]}
    with pytest.raises(UnfitRegistry, match="test-unit is not the one that its fingerprint names"):
        sign_registry(with_unit(registry, **swapped), root_key.file)
    old, its_fingerprint = certificate("Held apart", days_ago=400)
    ended = {"identity_certificate": old, "identity_fingerprint": its_fingerprint} | holders
    with pytest.raises(UnfitRegistry, match="test-unit is expired"):
        sign_registry(with_unit(registry, **ended), root_key.file)


def test_a_unit_that_is_not_enrolled_may_have_no_keys_or_old_ones_but_no_exchanged_ones(
    registry, root_key, certificate
):
    bare = {"certificate": "", "fingerprint": "", "reply_key": b""}
    old, its_fingerprint = certificate("A Unit", days_ago=400)
    for keys in (bare, {"certificate": old, "fingerprint": its_fingerprint}):
        assert sign_registry(with_unit(registry, status=Status.SUSPENDED, **keys), root_key.file)
    with pytest.raises(UnfitRegistry, match="fingerprint names"):
        draft = with_unit(registry, status=Status.SUSPENDED, certificate=old)
        sign_registry(draft, root_key.file)
