"""A key onto a card, as far as it goes where no card is: to gpg's own card program, and its refusal in a sentence."""

import pytest
from click.testing import CliRunner

from common.days import today
from common.gpg.certificate import look
from common.gpg.keyring import Where, keys_of
from keys.cards import UnitCard, write_card
from keys.commands.main import keys
from keys.unit.unit_keys import new_unit


@pytest.fixture(scope="module")
def folder(short_folder):
    made_in = short_folder()
    made = new_unit(made_in, "u", "Unit of Test", passphrase=None, months=1)
    card = UnitCard("u", "Unit of Test", made.certificate, made.fingerprint, made.reply_public_key)
    write_card(made_in / "unit-card.json", card)
    return made_in


def says(*arguments):
    done = CliRunner().invoke(keys, ["unit", "to-card", *map(str, arguments)])
    assert done.exit_code != 0
    assert "Traceback" not in done.output
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("which", ["month", "case"])
def test_without_a_card_gpgs_card_program_is_asked_and_its_refusal_told(folder, which):
    arguments = ("--month", f"{today():%Y-%m}") if which == "month" else ("--case-key",)
    assert says(folder, *arguments) in (
        "Error: No card is in the reader. Put the card in, and do it again.",
        "Error: No card reader is there. Plug it in, and do it again.",
    )
    for certificate in (folder / "certificate.asc", folder / "case.asc"):
        found = keys_of(folder / "gnupg", look(certificate.read_text()).fingerprint)
        assert {key.where for key in found} == {Where.HERE}


def test_a_month_that_was_not_made_is_refused(folder):
    assert "There is no key of January 2020 here" in says(folder, "--month", "2020-01")
    assert "Name either --month or --case-key" in says(folder)
