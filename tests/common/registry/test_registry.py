"""The registry: valid whole, signed by its root and in its time, or refused."""

import re
import statistics
import time
from dataclasses import replace
from datetime import date, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from common import signing
from common.contexts import Context
from common.days import today
from common.registry import registry as registries
from common.registry.registry import RegistryRefused, UnknownForce, UnknownUnit
from common.registry.units import Service, Status
from common.version import VERSION
from deploy.server.log_forms import is_allowed
from keys.registry.country import read_country

KEY = Ed25519PrivateKey.from_private_bytes(b"r" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


def signed(registry, key=KEY, context=Context.REGISTRY, **changed):
    return signing.sign({**registries.to_body(registry), **changed}, context, key)


def refused(untrusted, match, *, root=PUBLIC, day=None):
    with pytest.raises(RegistryRefused, match=match) as refusal:
        registries.verify(untrusted, root, day or today())
    assert str(refusal.value).startswith("The registry is refused: ")


def test_what_the_ceremony_signs_the_servers_read(registry, registry_bytes, root_key):
    assert registries.verify(registry_bytes, root_key.public, today()) == registry


def test_the_last_day_is_the_last(registry):
    assert registries.verify(signed(registry), PUBLIC, registry.expires) == registry
    refused(signed(registry), "expired on", day=registry.expires + timedelta(days=1))


def test_another_root_or_purpose_is_refused(registry):
    refused(signed(registry, Ed25519PrivateKey.generate()), "signature")
    refused(signed(registry), "signature", root=bytes(32))
    refused(signed(registry, context=Context.BUNDLE), "signature")


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
        {"version": 2**31},
        {"issued": "today"},
        {"expires": None},
        {"settle_every_hours": "6"},
        {"signed_with": None},
        {"signed_with": 1},
        {"signed_with": "0.1"},
        {"signed_with": "0.01.0"},
        {"signed_with": "0.1.0 and more"},
        {"signed_with": ["9.0.0"], "more": "than this program knows"},
        {"signed_with": VERSION, "more": "than this program knows"},
        {"units": {}},
        {"units": [1]},
        {"units": [{}]},
        {"forces": None},
        {"forces": [{}]},
        {"more": "than this program knows"},
    ],
)
def test_a_signed_registry_of_the_wrong_shape_is_refused(registry, changed):
    refused(signed(registry, **changed), "not a registry")


def test_of_one_that_a_later_candour_signed_it_is_said(registry):
    assert VERSION < "9.0.0"
    later = signed(registry, signed_with="9.0.0")
    assert registries.verify(later, PUBLIC, today()).signed_with == "9.0.0", "what can be read is"
    unread = signed(registry, signed_with="9.0.0", more="than this program knows")
    refused(unread, rf"Candour 9\.0\.0 signed it, and {re.escape(VERSION)} here cannot read it")
    unsigned = signed(registry, Ed25519PrivateKey.generate(), signed_with="9.0.0", more="")
    refused(unsigned, "its signature does not hold")


def test_why_a_later_one_is_refused_may_be_logged(registry):
    with pytest.raises(RegistryRefused) as refusal:
        registries.verify(signed(registry, signed_with="9999.9999.9999", more=""), PUBLIC, today())
    assert is_allowed(f"{refusal.value} Until it is mended nothing is taken in or given out.")


def wrong_values(right):
    """Values of other kinds than the right one, and one of its kind that says nothing."""
    kinds = [None, 1, True, "AAAA", [1], {"a": "AAAA"}, [{"force": "test-force"}]]
    return [value for value in kinds if not isinstance(value, type(right)) or value in ([1], {"a": "AAAA"})]


@pytest.mark.parametrize("part", ["units", "forces"])
def test_a_unit_or_force_of_the_wrong_shape_is_refused(registry, part):
    for key, right in registries.to_body(registry)[part][0].items():
        optional = key in ("conflict_route", "second_seal", "ended", "successor")
        for wrong in [1, True, [1], {"a": 1}] if optional else wrong_values(right):
            if key == "check" and wrong is True:
                continue
            body = registries.to_body(registry)
            body[part][0][key] = wrong
            refused(signing.sign(body, Context.REGISTRY, KEY), "not a registry|languages of the unit")
        body = registries.to_body(registry)
        del body[part][0][key]
        refused(signing.sign(body, Context.REGISTRY, KEY), "not a registry")
        body[part][0] |= {key: right, "unheard-of": 1}
        refused(signing.sign(body, Context.REGISTRY, KEY), "not a registry")


def test_days_and_kinds_that_are_none_are_refused(registry):
    for part, key, wrong in (
        ("units", "kind", "police"),
        ("units", "status", "Enrolled"),
        ("units", "serves", [{"force": "test-force", "from": "20270501", "until": None}]),
        ("units", "serves", [{"force": "test-force", "from": "2027-02-30", "until": None}]),
        ("forces", "nation", "mars"),
        ("forces", "kind", "secret"),
        ("forces", "ended", "1 May 2027"),
    ):
        body = registries.to_body(registry)
        body[part][0][key] = wrong
        refused(signing.sign(body, Context.REGISTRY, KEY), "not a registry")


def test_a_registry_that_contradicts_itself_is_refused_with_where(registry):
    first, second, desk = registry.units
    for units_, said in (
        ((), "no unit, or one twice"),
        ((first, replace(second, id=first.id), desk), "one twice"),
        ((first, replace(second, couriers=first.couriers), desk), "a courier belongs to two"),
        ((first, second), "one charity's desk"),
    ):
        refused(signed(replace(registry, units=units_)), said)
    refused(
        signed(replace(registry, expires=registry.issued - timedelta(days=1))), "end before it was issued"
    )
    for hours in (0, 5, 48):
        refused(
            signed(replace(registry, settle_every_hours=hours)),
            f"{hours} hours .* settled hours divide no day",
        )


def test_the_grace_is_counted_from_the_last_day(registry):
    content = signed(registry)
    last = registry.expires + timedelta(days=14)
    assert registries.verify(content, PUBLIC, last, grace_days=14) == registry
    with pytest.raises(RegistryRefused, match="expired on"):
        registries.verify(content, PUBLIC, last + timedelta(days=1), grace_days=14)
    assert registries.verify_signature(content, PUBLIC) == registry


def test_units_and_couriers_are_found_by_name(registry, unit_keys, other_unit_keys):
    assert registry.unit("test-unit") == unit_keys.unit
    found, key = registry.courier(other_unit_keys.courier_key_id)
    assert found == other_unit_keys.unit
    assert key == other_unit_keys.unit.couriers[other_unit_keys.courier_key_id]
    for look_up in (registry.unit, registry.courier, registry.recipient):
        with pytest.raises(UnknownUnit):
            look_up("nobody")


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.NOT_YET])
def test_who_is_not_enrolled_is_no_recipient_and_its_courier_is_not_let_in(registry, unit_keys, status):
    first, second, desk = registry.units
    changed = replace(registry, units=(replace(first, status=status), second, desk))
    assert changed.unit(first.id).status is status
    assert changed.enrolled_units() == (second,)
    assert changed.recipient(desk.id) == changed.desk == desk
    for look_up, name in ((changed.recipient, first.id), (changed.courier, unit_keys.courier_key_id)):
        with pytest.raises(UnknownUnit):
            look_up(name)


def test_what_may_lack_keys_is_read_without(registry):
    first, *rest = registry.units
    bare = replace(first, status=Status.NOT_YET, certificate="", fingerprint="", reply_key=b"", couriers={})
    changed = replace(registry, units=(bare, *rest))
    assert registries.verify(signed(changed), PUBLIC, today()) == changed
    refused(signed(replace(registry, units=(replace(bare, status=Status.ENROLLED), *rest))), "lacks keys")


def test_merged_forces_are_followed_to_what_stands(registry):
    day = date(2027, 4, 1)
    old = replace(registry.forces[0], id="old", ended=day, successor="middle")
    middle = replace(old, id="middle", ended=day + timedelta(days=30), successor="test-force")
    changed = replace(registry, forces=(*registry.forces, old, middle))
    for after, stands in (
        (0, "old"),
        (1, "middle"),
        (30, "middle"),
        (31, "test-force"),
        (9999, "test-force"),
    ):
        assert changed.force_on("old", day + timedelta(days=after)).id == stands
    assert [force.id for force in changed.lineage("old")] == ["old", "middle", "test-force"]
    with pytest.raises(UnknownForce):
        changed.force("nowhere")


@pytest.mark.quiet
def test_sixty_units_with_two_years_of_epochs_load_in_under_200_ms(registry, gpg_certificate):
    """The median of what a server does when the file changes: verify, read, and look whether all fits."""
    first, _, desk = registry.units
    certificate = gpg_certificate(subkeys=24)
    assert certificate.count("\n") > 90
    country = read_country()
    many = [
        replace(
            first,
            id=f"unit-{number}",
            serves=(Service(country.forces[number].id),) if number < len(country.forces) else (),
            certificate=certificate,
            fingerprint=f"{number:040X}",
            reply_key=number.to_bytes(32, "big"),
            couriers={f"{number}-{courier}": bytes([courier]) * 31 + bytes([number]) for courier in (1, 2)},
        )
        for number in range(60)
    ]
    content = signed(replace(registry, forces=country.forces, units=(*many, *country.overseers, desk)))
    took = []
    for _ in range(5):
        start = time.perf_counter()
        loaded = registries.verify(content, PUBLIC, today())
        took.append(time.perf_counter() - start)
    assert len(loaded.enrolled_units()) == 60
    assert statistics.median(took) < 0.2
