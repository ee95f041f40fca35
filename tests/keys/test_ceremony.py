"""The signing ceremony, as CEREMONY.md has it: each command in it is run as it stands, in its order."""

import re
import shlex
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from common.days import today
from common.gpg.epochs import epochs_of, month_after, month_of
from common.gpg.keyring import Where, keys_of
from common.registry import registry as registries
from common.registry.units import Status
from common.report.routing import Circumstances, Reason, route
from keys.cards import UnitCard, read_card
from keys.commands.main import keys
from keys.registry.draft import read_draft

pytestmark = pytest.mark.slow

CEREMONY = Path(__file__).resolve().parents[2] / "keys" / "CEREMONY.md"
ITS_DAY = date(2027, 1, 4)
PHRASE = "a long passphrase\n"
THEIRS = "".join(f"{PHRASE.strip()} of {n}\n" * 2 for n in (1, 2, 3))


def commands():
    """The commands of the text, its days moved so that the ceremony is today."""
    text = CEREMONY.read_text("utf-8")
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert all(line.startswith("./candour keys ") for line in lines)
    return [re.sub(r"\d{4}-\d\d-\d\d", lambda day: moved(day[0]).isoformat(), line) for line in lines]


def moved(day):
    return today() + (date.fromisoformat(day) - ITS_DAY)


@pytest.fixture(scope="module")
def held(short_folder):
    """The ceremony, held: its folder, and what each command said."""
    folder = short_folder()
    said = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("server", "desk"):
            (folder / name).mkdir()
        for command in commands():
            if "KEYID" in command:
                [key_id] = read_draft(folder / "registry.draft").content.unit("west-unit").couriers
                command = command.replace("KEYID", key_id)  # noqa: PLW2901
            if " keys unit " in command:
                command += " --no-passphrase"  # noqa: PLW2901  # gpg takes seconds for each; test_cli.py has one
            typed = THEIRS if " keys identity " in command else PHRASE * 3
            done = CliRunner().invoke(keys, shlex.split(command)[2:], input=typed)
            assert done.exit_code == 0, f"{command}\n{done.output}"
            said[command] = done.output
    return folder, said


def test_all_digits_that_the_signer_reads_of_a_card_its_owner_reads_too(held):
    _, said = held
    shown = [output for command, output in said.items() if " card show " in command]
    taken = [
        output for command, output in said.items() if re.search(" registry (add|set .*--identity) ", command)
    ]
    assert [len(digits_in(output)) for output in shown] == [2, 1, 2, 2, 4, 4]
    assert set.union(*map(digits_in, shown)) == set.union(*map(digits_in, taken))


def digits_in(output):
    return set(re.findall("(?:[0-9A-F]{4} ){9,}[0-9A-F]{4}", output))


def test_the_first_registry_says_what_the_two_people_decided(held):
    folder, said = held
    root = bytes.fromhex((folder / "root.pub").read_text())
    first = registries.verify((folder / "registry-1.json").read_bytes(), root, today())
    assert (first.version, first.expires, len(first.forces)) == (1, moved("2027-07-04"), 49)
    assert [unit.id for unit in first.enrolled_units()] == ["west-unit"]
    way = route(Circumstances(frozenset({"west-mercia"})), today(), first)
    assert ([unit.id for unit in way.units], way.reasons[0]) == (["west-unit", "iopc"], Reason.ITS_UNIT)
    both = Circumstances(frozenset({"west-mercia", "warwickshire"}))
    assert route(both, today(), first).unit.id == "charity-desk"
    assert route(both, moved("2027-02-01"), first).unit.id == "west-unit"
    shown = next(output for command, output in said.items() if "verify" in command)
    assert "serves West Mercia Police (west-mercia)" in shown
    assert "in conflict    iopc" in shown


def test_the_second_replaces_it_wherever_it_was(held):
    folder, _ = held
    root = bytes.fromhex((folder / "root.pub").read_text())
    for place in ("server", "desk"):
        content = (folder / place / "registry.json").read_bytes()
        assert content == (folder / "registry-2.json").read_bytes()
        second = registries.verify(content, root, today())
        assert second.version == 2
        assert second.unit("iopc").status is Status.SUSPENDED
        assert second.unit("west-unit").couriers == {}
        assert [file.name for file in (folder / place).iterdir()] == ["registry.json"]


def test_the_difference_says_in_words_what_was_asked_for_and_nothing_else(held):
    _, said = held
    sentences = next(output for command, output in said.items() if " diff " in command).splitlines()
    last, end = moved("2027-10-04"), moved("2027-04-30")
    told = {
        f"The last day is {words(last)}, no longer {words(moved('2027-07-04'))}.",
        f"Warwickshire Police will go to the charity’s desk from {words(end + timedelta(days=1))}.",
        "The status of Independent Office for Police Conduct changes from enrolled to suspended.",
    }
    assert told < set(sentences)
    rest = set(sentences) - told
    assert len(rest) == 7
    assert (
        sum(
            sentence.startswith("Without ") and "Western Anti-Corruption Unit" in sentence
            for sentence in rest
        )
        == 3
    )
    assert sum("becomes part of sussex" in sentence for sentence in rest) == 1
    assert sum(sentence.startswith("The names of the force sussex change") for sentence in rest) == 1
    assert sum("is struck off" in sentence for sentence in rest) == 1
    assert sum("named for warwickshire from" in sentence for sentence in rest) == 1


def words(day):
    return f"{day.day} {day:%B %Y}"


def test_the_certificate_is_longer_by_a_year_and_its_primary_key_is_in_shares_again(held):
    folder, _ = held
    [file] = (folder / "west").glob("unit-card-2*.json")
    before, after = read_card(folder / "west/unit-card.json"), read_card(file)
    assert isinstance(before, UnitCard)
    assert isinstance(after, UnitCard)
    assert (after.fingerprint, after.reply_key) == (before.fingerprint, before.reply_key)
    months = [epoch.month for epoch in epochs_of(keys_of(folder / "west/gnupg", after.fingerprint))]
    assert months == [month_after(month_of(today()), number) for number in range(36)]
    assert keys_of(folder / "west/gnupg", after.fingerprint)[0].where is Where.GONE


def test_no_passphrase_is_repeated(held):
    assert all("a long passphrase" not in output for output in held[1].values())
