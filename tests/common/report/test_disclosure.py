"""A request counts when the unit that asks has signed it, and an entry when those who opened have: two of them."""

import json
import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical
from common.days import today
from common.registry.units import FormerKey, Status
from common.report import disclosure
from common.report.contact import SealedContact
from common.report.disclosure import DisclosureRefused, Entry, Outcome, Request, Why, WhyNot

KEYS = {name: Ed25519PrivateKey.from_private_bytes(name.encode() * 8) for name in ("adaa", "benn", "cyyy")}
ASKS = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
KEY = "B" * 40
ASKED_FOR = SealedContact("test-unit", "A" * 40, b"sealed")
REQUEST = Request("1a" * 16, "test-unit", "0f" * 16, Why.DANGER, today(), True, ASKED_FOR)
ENTRY = Entry(
    "2b" * 16, "1a" * 16, "d" * 64, "test-unit", Outcome.OPENED, Why.DANGER, today(), ("adaa", "benn")
)


@pytest.fixture
def unit(registry):
    holders = {name: key.public_key().public_bytes_raw() for name, key in KEYS.items()}
    present = {"identity_certificate": "c", "identity_fingerprint": KEY, "identity_holders": holders}
    return replace(registry.unit("test-unit"), **present)


@pytest.fixture
def registry(registry):
    asks = replace(registry.unit("test-unit"), reply_key=ASKS.public_key().public_bytes_raw())
    return replace(registry, units=(asks, *registry.units[1:]))


def signed(entry=ENTRY, keys=None):
    return disclosure.sign_entry(entry, {name: (keys or KEYS)[name] for name in entry.by})


def resigned(change):
    """An entry whose outer shape was changed by hand."""
    document = json.loads(signed())
    change(document["signed"])
    return canonical.dump(document)


def test_a_request_is_read_as_it_was_signed_and_the_same_one_is_the_same_document(registry):
    document = disclosure.sign_request(REQUEST, ASKS)
    assert disclosure.read_request(document, registry) == REQUEST
    assert disclosure.sign_request(REQUEST, ASKS) == document


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (disclosure.sign_request(REQUEST, KEYS["adaa"]), "altered, or not signed by the unit"),
        (disclosure.sign_request(replace(REQUEST, by="nobody"), ASKS), "names no such unit"),
        (
            disclosure.sign_request(replace(REQUEST, by="other-unit"), ASKS),
            "altered, or not signed by the unit",
        ),
        (disclosure.sign_request(replace(REQUEST, id="../etc"), ASKS), "no request"),
        (disclosure.sign_request(replace(REQUEST, conversation="x"), ASKS), "no request"),
        (disclosure.sign_request(REQUEST, ASKS).replace(b'"danger"', b'"agreed"'), "altered"),
        (disclosure.sign_request(REQUEST, ASKS).replace(b"0f0f", b"0f0e"), "altered"),
        (disclosure.sign_request(REQUEST, ASKS).replace(b"true", b"false"), "altered"),
        (signed(), "no request"),
        (b"junk", "no request"),
    ],
)
def test_a_request_that_was_altered_or_is_none_is_refused(document, says, registry):
    with pytest.raises(DisclosureRefused, match=says):
        disclosure.read_request(document, registry)


def test_a_unit_whose_keys_may_be_in_wrong_hands_asks_for_nothing(registry):
    suspended = replace(registry.unit("test-unit"), status=Status.SUSPENDED)
    with pytest.raises(DisclosureRefused, match="suspended"):
        document = disclosure.sign_request(REQUEST, ASKS)
        disclosure.read_request(document, replace(registry, units=(suspended, *registry.units[1:])))


def test_an_entry_says_who_did_what_and_why(unit):
    assert disclosure.read_entry(signed(), unit, KEY) == ENTRY
    declined = replace(ENTRY, outcome=Outcome.REFUSED, why=WhyNot.HARM, by=("cyyy",))
    assert disclosure.read_entry(signed(declined), unit, KEY) == declined
    assert disclosure.claimed_request(signed()) == ENTRY.request
    assert disclosure.kept_entry(signed(declined)) == declined


def test_an_entry_counts_by_the_holders_of_the_key_that_was_asked_for_and_of_no_other(unit):
    former = FormerKey("C" * 40, {"benn": bytes(32), "dora": bytes(32)})
    changed = replace(unit, former_identities=(former,))
    assert disclosure.read_entry(signed(), changed, KEY) == ENTRY
    for key in ("C" * 40, "D" * 40):
        with pytest.raises(DisclosureRefused, match="not signed by identity holders"):
            disclosure.read_entry(signed(), changed, key)
    before = replace(changed, identity_fingerprint="C" * 40, identity_holders=former.holders)
    before = replace(before, former_identities=(FormerKey(KEY, unit.identity_holders),))
    assert disclosure.read_entry(signed(), before, KEY) == ENTRY


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (signed(replace(ENTRY, by=("adaa",))), "one holder alone"),
        (signed(replace(ENTRY, by=())), "not signed by identity holders"),
        (signed(replace(ENTRY, unit="other-unit")), "another unit"),
        (signed(replace(ENTRY, id="")), "no entry"),
        (signed(keys=KEYS | {"benn": KEYS["adaa"]}), "altered, or not signed"),
        (signed(replace(ENTRY, by=("adaa", "eve")), KEYS | {"eve": ASKS}), "not signed by identity holders"),
        (signed(replace(ENTRY, why=WhyNot.HARM)), "no entry"),
        (signed(replace(ENTRY, outcome=Outcome.REFUSED)), "no entry"),
        (resigned(lambda signed: signed.pop("benn")), "did not sign the same"),
        (resigned(lambda signed: signed.update(cyyy=signed.pop("benn"))), "altered"),
        (resigned(lambda signed: signed.update(benn=signed["adaa"])), "altered"),
        (
            resigned(
                lambda it: it.update(benn=json.loads(signed(replace(ENTRY, why=Why.LAW)))["signed"]["benn"])
            ),
            "did not sign the same",
        ),
        (signed().replace(b"signed", b"sigmed"), "no entry"),
        (disclosure.sign_request(REQUEST, ASKS), "no entry"),
        (b"", "no entry"),
    ],
)
def test_an_entry_that_was_altered_or_lacks_a_hand_is_refused(document, says, unit):
    with pytest.raises(DisclosureRefused, match=says):
        disclosure.read_entry(document, unit, KEY)


def test_a_stick_is_read_with_care(tmp_path):
    made = disclosure.write_file(tmp_path, "request", b"document")
    assert disclosure.found(tmp_path, "request") == [made]
    assert disclosure.found(tmp_path, "entry") == disclosure.found(tmp_path / "none", "request") == []
    assert disclosure.read_file(made) == b"document"
    (tmp_path / "contact-entry-00000000.json").symlink_to(made)
    os.mkfifo(tmp_path / "contact-entry-00000001.json")
    (tmp_path / "contact-entry-00000002.json").mkdir()
    (tmp_path / "contact-entry-00000003.json").write_bytes(bytes(disclosure.MOST_BYTES + 1))
    for file in disclosure.found(tmp_path, "entry"):
        with pytest.raises(DisclosureRefused):
            disclosure.read_file(file)
