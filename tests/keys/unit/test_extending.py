"""More months for a certificate: after its last one, with a card for the registry, and with the primary key alone."""

import io
import shutil
from datetime import timedelta

import pytest

from common.days import today
from common.gpg import sealing
from common.gpg.certificate import look
from common.gpg.epochs import OVERLAP, epochs_of, month_after, month_of
from common.gpg.keyring import Where, destroy, keys_of
from common.gpg.opening import Opener, OpeningFailed
from common.gpg.sealing import RecipientRefused, Sealer
from keys.cards import UnitCard, read_card, write_card
from keys.gpg_key import CeremonyFailed
from keys.private_key import parse_private_key
from keys.unit.unit_keys import add_case_key, extend, new_unit

THIS = month_of(today())


@pytest.fixture
def made(short_folder):
    """A unit of two months, with its card."""
    folder = short_folder()
    unit = new_unit(folder, "u", "Unit of Test", passphrase=None, months=2)
    write_card(
        folder / "unit-card.json",
        UnitCard("u", "Unit of Test", unit.certificate, unit.fingerprint, unit.reply_public_key),
    )
    return folder


def unit_card(file):
    card = read_card(file)
    assert isinstance(card, UnitCard)
    return card


def primary(folder):
    return keys_of(folder / "gnupg", unit_card(folder / "unit-card.json").fingerprint)[0]


def test_more_months_follow_the_last_one_in_the_same_certificate(made, tmp_path, monkeypatch):
    before = unit_card(made / "unit-card.json")
    longer = extend(made, 3, None)
    assert longer.file.name == f"unit-card-{month_after(THIS, 4):%Y-%m}.json"
    card = unit_card(longer.file)
    assert (card.fingerprint, card.reply_key, card.name) == (
        before.fingerprint,
        before.reply_key,
        before.name,
    )
    assert look(card.certificate).last_day == month_after(THIS, 5) + OVERLAP - timedelta(days=1)
    assert (made / "certificate.asc").read_text() == card.certificate
    found = epochs_of(keys_of(made / "gnupg", card.fingerprint))
    assert [epoch.month for epoch in found] == [month_after(THIS, number) for number in range(5)]

    monkeypatch.setattr(sealing, "today", lambda: month_after(THIS, 4))
    old = tmp_path / "old.asc"
    old.write_text(before.certificate)
    sealer = Sealer(tmp_path / "home")
    with pytest.raises(RecipientRefused):
        sealer.seal(io.BytesIO(b"x"), [old], tmp_path / "refused")
    sealer.seal(io.BytesIO(b"x"), [made / "certificate.asc"], tmp_path / "sealed")
    used = Opener(made / "gnupg").open(tmp_path / "sealed", lambda _: None)
    assert used == found[4].fingerprint


def test_without_the_primary_key_nothing_is_extended_and_what_was_sealed_opens(made):
    destroy(made / "gnupg", primary(made))
    assert primary(made).where is Where.GONE
    with pytest.raises(CeremonyFailed, match="Restore it from its shares"):
        extend(made, 1, None)
    Opener(made / "gnupg").open(made / "reply.key.gpg", lambda _: None)


def test_keys_that_had_no_case_key_get_one_and_the_reply_key_moves_to_it(made):
    """The reply key of such a unit was sealed to the certificate: a month's key would have taken it along."""
    home, files = made / "gnupg", (made / "reply.key.gpg", made / "case.asc")
    pem = bytearray()
    case_key = Opener(home).open(files[0], pem.extend)
    files[0].unlink()
    Sealer(made / "sealing").seal(io.BytesIO(bytes(pem)), [made / "certificate.asc"], files[0])
    files[1].rename(made / "old-case.asc")
    month_key = Opener(home).open(files[0], lambda _: None)
    assert month_key == epochs_of(keys_of(home, primary(made).fingerprint))[0].fingerprint

    add_case_key(made, None)
    again = bytearray()
    new_case_key = Opener(home).open(files[0], again.extend)
    assert again == pem
    assert new_case_key not in (case_key, month_key)
    assert parse_private_key(bytes(again)).public_key().public_bytes_raw() == (
        unit_card(made / "unit-card.json").reply_key
    )
    with pytest.raises(CeremonyFailed, match="never overwritten"):
        add_case_key(made, None)


def test_a_destroyed_months_key_opens_nothing_and_the_others_do(made, gpg, tmp_path):
    home = made / "gnupg"
    epochs = epochs_of(keys_of(home, primary(made).fingerprint))
    Sealer(tmp_path / "home").seal(io.BytesIO(b"words"), [made / "certificate.asc"], tmp_path / "sealed")
    assert Opener(home).open(tmp_path / "sealed", lambda _: None) == epochs[0].fingerprint
    destroy(home, epochs[0].key)
    after = epochs_of(keys_of(home, primary(made).fingerprint))
    assert [epoch.is_gone for epoch in after] == [True, False]
    with pytest.raises(OpeningFailed):
        Opener(home).open(tmp_path / "sealed", lambda _: None)
    copy = tmp_path.parent / f"c{tmp_path.name[-1]}"  # a copy of the home as it is now, and plain gpg
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("S.*"))
    plain = gpg(copy, "--decrypt", tmp_path / "sealed")
    assert (plain.returncode, plain.stdout) == (2, b"")
    destroy(home, after[0].key)  # again: nothing changes
    Opener(home).open(made / "reply.key.gpg", lambda _: None)
