"""A draft: a text that people read, edit and compare, and that keeps what it was given."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import signing
from common.contexts import Context
from common.days import today
from common.registry import registry as registries
from common.registry.units import Service, Status, UnitKind
from common.transport.courier_key import CourierCard
from keys.cards import UnitCard
from keys.registry.draft import (
    BadDraft,
    Draft,
    no_longer_serving,
    read_any,
    read_draft,
    serving,
    with_status,
    without_courier,
    write_draft,
)

DAY = date(2027, 5, 1)


@pytest.fixture
def draft(registry):
    return Draft(replace(registry, version=0, issued=date.min))


def card_of(unit):
    return UnitCard(unit.id, unit.name, unit.certificate, unit.fingerprint, unit.reply_key)


def test_what_is_written_is_read_and_becomes_the_registry(draft, registry, tmp_path):
    write_draft(tmp_path / "draft", draft)
    assert read_draft(tmp_path / "draft") == draft
    assert read_draft(tmp_path / "draft").to_sign(1, today()) == registry


def test_a_signed_registry_is_read_as_a_draft_too(draft, registry_bytes, tmp_path):
    (tmp_path / "registry").write_bytes(registry_bytes)
    write_draft(tmp_path / "draft", draft)
    assert read_any(tmp_path / "registry") == read_any(tmp_path / "draft") == draft
    with pytest.raises(BadDraft):
        read_draft(tmp_path / "registry")


def test_a_registry_that_another_candour_signed_becomes_the_same_draft(draft, registry, tmp_path):
    key = Ed25519PrivateKey.generate()
    body = registries.to_body(replace(registry, signed_with="9.9.9"))
    (tmp_path / "registry").write_bytes(signing.sign(body, Context.REGISTRY, key))
    assert read_any(tmp_path / "registry") == draft


def test_it_is_a_text_of_short_lines_and_names_no_version(draft, tmp_path):
    write_draft(tmp_path / "draft", draft)
    text = (tmp_path / "draft").read_text("utf-8")
    assert max(map(len, text.splitlines())) < 100
    assert not {"version", "issued", "signed_with", "signature"} & set(json.loads(text))


def test_one_change_is_few_lines_of_difference(draft, tmp_path):
    write_draft(tmp_path / "one", draft)
    first = draft.content.units[0]
    write_draft(tmp_path / "two", draft.with_unit(replace(first, status=Status.SUSPENDED)))
    one, two = ((tmp_path / name).read_text().splitlines() for name in ("one", "two"))
    assert sum(before != after for before, after in zip(one, two, strict=True)) == 1


@pytest.mark.parametrize("slip", ['"from": 1', '"frmo": null', '"from": "soon"'])
def test_a_slip_of_the_hand_is_refused_with_the_file(draft, tmp_path, slip):
    write_draft(tmp_path / "draft", draft)
    text = (tmp_path / "draft").read_text()
    assert '"from": null' in text
    (tmp_path / "draft").write_text(text.replace('"from": null', slip, 1))
    for read in (read_draft, read_any):
        with pytest.raises(BadDraft, match="draft"):
            read(tmp_path / "draft")


def test_a_new_draft_never_replaces_one(draft, tmp_path):
    write_draft(tmp_path / "draft", draft, new=True)
    with pytest.raises(FileExistsError):
        write_draft(tmp_path / "draft", Draft.of_the_country(DAY), new=True)
    assert read_draft(tmp_path / "draft") == draft


def test_a_new_unit_is_not_enrolled_and_a_known_one_keeps_all_but_its_keys(draft, unit_keys):
    unit = unit_keys.unit
    begun = Draft.of_the_country(DAY).with_card(card_of(unit), UnitKind.UNIT)
    assert begun.unit(unit.id).status is Status.NOT_YET
    assert begun.unit(unit.id).serves == ()
    rekeyed = replace(card_of(unit), fingerprint="B" * 40)
    assert draft.with_card(rekeyed, UnitKind.UNIT).unit(unit.id) == replace(unit, fingerprint="B" * 40)


def test_a_courier_joins_its_unit_and_leaves_it(draft, unit_keys):
    unit = unit_keys.unit
    joined = draft.with_card(CourierCard(unit.id, "second", bytes(32)), UnitKind.UNIT).unit(unit.id)
    assert joined == replace(unit, couriers={**unit.couriers, "second": bytes(32)})
    assert without_courier(joined, "second") == unit
    with pytest.raises(BadDraft, match=f"no courier x. It has: {unit_keys.courier_key_id}"):
        without_courier(unit, "x")


def test_service_is_set_by_day_and_what_is_not_named_stays(unit_keys):
    unit = replace(unit_keys.unit, serves=())
    begun = serving(unit, "north", DAY, None)
    assert begun.serves == (Service("north", DAY),)
    ended = serving(begun, "north", None, DAY + timedelta(days=9))
    assert ended.serves == (Service("north", DAY, DAY + timedelta(days=9)),)
    assert serving(ended, "south", None, None).serves == (*ended.serves, Service("south"))


def test_what_ends_earlier_already_is_not_prolonged_by_ending_it(unit_keys):
    unit = replace(unit_keys.unit, serves=(Service("north", None, DAY),))
    with pytest.raises(BadDraft, match=f"serves north until {DAY} already"):
        no_longer_serving(unit, "north", DAY + timedelta(days=1))
    assert no_longer_serving(unit, "north", DAY) == unit
    earlier = DAY - timedelta(days=1)
    assert no_longer_serving(unit, "north", earlier).serves == (Service("north", None, earlier),)


def test_nobody_is_enrolled_without_keys(unit_keys):
    assert with_status(unit_keys.unit, Status.ENROLLED).is_enrolled
    with pytest.raises(BadDraft, match="Add its card first"):
        with_status(replace(unit_keys.unit, reply_key=b""), Status.ENROLLED)
