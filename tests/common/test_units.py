"""The registry: valid whole, signed by its root and in its time, or refused."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from common import signing, units
from common.days import today
from common.units import RegistryRefused, UnknownUnit

KEY = Ed25519PrivateKey.from_private_bytes(b"r" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


def signed(registry, key=KEY, context=units.CONTEXT, **changed):
    return signing.sign({**units.to_body(registry), **changed}, context, key)


def refused(untrusted, match, *, root=PUBLIC, day=None):
    with pytest.raises(RegistryRefused, match=match) as refusal:
        units.verify(untrusted, root, day or today())
    assert str(refusal.value).startswith("The registry is refused: ")


def test_what_the_ceremony_signs_the_servers_read(registry, registry_bytes, root_key):
    assert units.verify(registry_bytes, root_key.public, today()) == registry


def test_the_last_day_is_the_last(registry):
    assert units.verify(signed(registry), PUBLIC, registry.expires) == registry
    refused(signed(registry), "expired on", day=registry.expires + timedelta(days=1))


def test_another_root_or_purpose_is_refused(registry):
    refused(signed(registry, Ed25519PrivateKey.generate()), "signature")
    refused(signed(registry), "signature", root=bytes(32))
    refused(signed(registry, context="candour/1 bundle"), "signature")


@given(data=st.data())
def test_one_changed_bit_is_refused(registry, data):
    altered = bytearray(signed(registry))
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    refused(bytes(altered), "signature does not hold|is damaged")


@pytest.mark.parametrize(
    "junk", [b"", b"{}", b"[]", b"null", b'{"body":{}}', b"\xff" * 50, b"[" * 10_000], ids=range(7)
)
def test_what_is_unsigned_is_refused(junk):
    refused(junk, "not a registry, or it is damaged")


def test_an_unsigned_body_is_refused(registry):
    document = signed(registry).split(b',"signature"')[0] + b"}"
    refused(document, "not a registry")


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "1"},
        {"version": -1},
        {"version": True},
        {"issued": "today"},
        {"expires": None},
        {"units": {}},
        {"units": [1]},
        {"units": [{}]},
    ],
)
def test_a_signed_registry_of_the_wrong_shape_is_refused(registry, changed):
    refused(signed(registry, **changed), "not a registry")


@pytest.mark.parametrize(
    "key", ["id", "name", "forces", "certificate", "fingerprint", "reply_key", "couriers"]
)
@pytest.mark.parametrize("wrong", [None, 1, "AAAA", [1], {"a": "AAAA"}])
def test_a_unit_of_the_wrong_shape_is_refused(registry, key, wrong):
    if isinstance(wrong, str) and key in ("id", "name", "certificate", "fingerprint"):
        return
    body = units.to_body(registry)
    body["units"][0][key] = wrong
    refused(signing.sign(body, units.CONTEXT, KEY), "not a registry")


def test_a_unit_or_courier_named_twice_and_no_unit_at_all_are_refused(registry):
    first, second = registry.units
    refused(signed(replace(registry, units=())), "no unit, or one twice")
    refused(signed(replace(registry, units=(first, replace(second, id=first.id)))), "one twice")
    refused(signed(replace(registry, units=(first, replace(second, couriers=first.couriers)))), "one twice")


def test_units_and_couriers_are_found_by_name(registry, unit_keys, other_unit_keys):
    assert registry.unit("test-unit") == unit_keys.unit
    found, key = registry.courier(other_unit_keys.courier_key_id)
    assert found == other_unit_keys.unit
    assert key == other_unit_keys.unit.couriers[other_unit_keys.courier_key_id]
    for look_up in (registry.unit, registry.courier):
        with pytest.raises(UnknownUnit):
            look_up("nobody")


def test_a_short_name_that_would_not_fit_into_a_cookie_is_refused(registry):
    first, second = registry.units
    longest = replace(second, id="u" * units.LONGEST_ID)
    good = replace(registry, units=(first, longest))
    assert units.verify(signed(good), PUBLIC, today()) == good
    for unit_id in ("u" * (units.LONGEST_ID + 1), "unité"):
        refused(signed(replace(registry, units=(first, replace(second, id=unit_id)))), "short name")
