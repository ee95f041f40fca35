"""`candour keys identity new`, from holders and passphrases to a registry that names them."""

import json
import stat
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from common.days import today
from common.registry.units import FormerKey
from keys.commands.main import keys
from keys.commands.shared import grouped
from keys.gpg_key import CeremonyFailed
from keys.registry.draft import read_draft, write_draft
from keys.registry.signature import UnfitRegistry
from keys.unit.identity_key import IDENTITY_CARD, new_identity, read_identity_card, with_identity

FIRST, SECOND = "the first long passphrase", "the second long passphrase"


def run(*arguments, stdin=None):
    return CliRunner().invoke(keys, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture(scope="module")
def made(short_folder):
    folder = short_folder() / "held"
    typed = f"{FIRST}\n{FIRST}\n{SECOND}\n{SECOND}\n"
    done = run(
        "identity", "new", folder, "--unit", "west-unit", "--holder", "ada", "--holder", "ben", stdin=typed
    )
    assert done.exit_code == 0, done.output
    return folder, done.output


def test_the_ceremony_leaves_a_card_and_nothing_that_opens_without_two(made, tmp_path):
    folder, said = made
    card = read_identity_card(folder / IDENTITY_CARD)
    assert (card.unit, sorted(card.holders)) == ("west-unit", ["ada", "ben"])
    for shown in (card.fingerprint, *(key.hex() for key in card.holders.values())):
        assert grouped(shown) in said
    for phrase in (FIRST, SECOND):
        assert phrase not in said
        assert not any(phrase.encode() in file.read_bytes() for file in folder.rglob("*") if file.is_file())
    for file in (folder / "holders").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {entry.name for entry in folder.iterdir()} == {"gnupg", "holders", IDENTITY_CARD}


def test_the_registry_names_the_holders_and_says_so(made, tmp_path):
    folder, _ = made
    draft, next_year = tmp_path / "draft", (today() + timedelta(days=365)).isoformat()
    for unit_id in ("west-unit", "east-unit"):
        body = {"card": "unit", "id": unit_id, "name": "A Unit", "certificate": "c", "fingerprint": "F" * 40}
        (tmp_path / f"{unit_id}.json").write_text(json.dumps(body | {"reply_key": "A" * 43 + "="}))
    assert run("registry", "new", draft, "--expires", next_year).exit_code == 0
    assert run("registry", "add", draft, *tmp_path.glob("*-unit.json")).exit_code == 0
    done = run("registry", "set", draft, "west-unit", "--identity", folder / IDENTITY_CARD)
    card = read_identity_card(folder / IDENTITY_CARD)
    assert f"changes from none to {grouped(card.fingerprint)}" in done.output
    for name, key in card.holders.items():
        assert f"{name} holds the identity key of A Unit, with others: {grouped(key.hex())}." in done.output
    unit = read_draft(draft).unit("west-unit")
    assert (unit.identity_certificate, unit.identity_holders) == (card.certificate, card.holders)
    assert unit.former_identities == ()
    other = replace(card, fingerprint="E" * 40, holders={"ada": b"a" * 32, "dee": b"d" * 32})
    write_draft(draft, read_draft(draft).with_unit(with_identity(unit, other)))
    assert read_draft(draft).unit("west-unit").former_identities == (
        FormerKey(card.fingerprint, card.holders),
    )
    back = with_identity(read_draft(draft).unit("west-unit"), card)
    assert [key.fingerprint for key in back.former_identities] == ["E" * 40]
    at = ("registry", "set", draft, "west-unit", "--drop-former-identity")
    assert "no such former identity key" in run(*at, "E" * 40).stderr
    assert "is struck off" in run(*at, grouped(card.fingerprint)).output
    assert read_draft(draft).unit("west-unit").former_identities == ()
    wrong = run("registry", "set", draft, "east-unit", "--identity", folder / IDENTITY_CARD)
    assert wrong.exit_code == 1
    assert "card of west-unit, not of east-unit" in wrong.stderr


def test_a_card_that_was_exchanged_in_part_is_refused(made, tmp_path, unit_keys):
    folder, _ = made
    card = json.loads((folder / IDENTITY_CARD).read_text())
    for changed, says in (
        ({"certificate": unit_keys.unit.certificate}, "not the one that its fingerprint names"),
        ({"card": "unit"}, "not the card of an identity key"),
        ({"holders": {"Not Short": "AAAA"}}, "not the card of an identity key"),
    ):
        (tmp_path / "card").write_text(json.dumps(card | changed))
        with pytest.raises(UnfitRegistry, match=says):
            read_identity_card(tmp_path / "card")


@pytest.mark.parametrize(
    ("holders", "says"),
    [
        ({"ada": FIRST}, "2 to 16 different holders"),
        ({"ada": FIRST, "Not Short": SECOND}, "2 to 16 different holders"),
        ({"ada": FIRST, "ben": "too short"}, "16 characters or more"),
        ({"ada": FIRST, "ben": f" {SECOND}"}, "16 characters or more"),
        ({"ada": FIRST, "ben": FIRST}, "one passphrase"),
    ],
)
def test_holders_who_would_not_be_two_are_refused(holders, says, tmp_path):
    with pytest.raises(CeremonyFailed, match=says):
        new_identity(tmp_path, "west-unit", holders)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(made):
    folder, _ = made
    with pytest.raises(CeremonyFailed, match="already"):
        new_identity(folder, "west-unit", {"ada": FIRST, "ben": SECOND})
