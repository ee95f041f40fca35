"""The command `candour keys`, from first key to verified registry, as a person uses it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from common import registry as registries
from common.days import today
from common.sealing import Opener, OpeningFailed
from keys.cli import grouped, keys

NEXT_YEAR = (today() + timedelta(days=365)).isoformat()
PHRASE = "a long passphrase\n"


def run(*arguments, stdin=None):
    return CliRunner().invoke(keys, [str(argument) for argument in arguments], input=stdin)


def fails(*arguments, says, stdin=None):
    """It ends with code 1 and one sentence; no traceback."""
    done = run(*arguments, stdin=stdin)
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit)
    error = done.stderr.strip().splitlines()[-1]
    assert error.startswith("Error: ")
    assert error.endswith(".")
    assert says in error, error
    assert "Traceback" not in done.output
    return error


@dataclass(frozen=True)
class Ceremony:
    """A folder in which unit, courier and root have been made by command."""

    folder: Path

    @property
    def sign(self):
        cards = ("--card", self.folder / "u/unit-card.json", "--card", self.folder / "courier-card.json")
        return ("registry", "sign", "--root-key", self.folder / "root.key", *cards)


@pytest.fixture(scope="module")
def ceremony(short_folder):
    folder = short_folder()
    for arguments in (
        *[("unit", "new", folder / "u", "--id", "west-unit", "--name", "West Unit", "--no-passphrase")],
        *[("courier", "new", folder / "courier.key", "--unit", "west-unit")],
        *[("root", "new", folder / "root.key", "--no-passphrase")],
    ):
        forces = ("--force", "west-mercia", "West Mercia Police") if "unit" in arguments else ()
        done = run(*arguments, *forces)
        assert done.exit_code == 0, done.output
    return Ceremony(folder)


def test_from_first_key_to_a_registry_that_the_servers_take(ceremony, tmp_path):
    out = tmp_path / "registry.json"
    done = run(*ceremony.sign, "--version", 3, "--expires", NEXT_YEAR, out)
    assert done.exit_code == 0, done.output
    root = bytes.fromhex((ceremony.folder / "root.pub").read_text())
    registry = registries.verify(out.read_bytes(), root, today())
    assert (registry.version, registry.issued, registry.expires.isoformat()) == (3, today(), NEXT_YEAR)
    unit = registry.units[0]
    assert (unit.id, unit.name, unit.forces[0].name) == ("west-unit", "West Unit", "West Mercia Police")
    assert len(unit.couriers) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["registry.json"]
    for named in (root.hex(), ceremony.folder / "root.pub"):
        shown = run("registry", "verify", out, "--root", named)
        assert shown.exit_code == 0
        for said in (
            "The signature holds.",
            "Version 3, issued on",
            f"The last day on which it holds is {registry.expires.day} ",
            "West Unit (west-unit)",
            "serves West Mercia Police (west-mercia)",
            grouped(unit.fingerprint),
            *unit.couriers,
        ):
            assert said in shown.output


def test_an_altered_expired_or_foreign_registry_is_refused(ceremony, tmp_path, root_key):
    out = tmp_path / "registry.json"
    run(*ceremony.sign, "--version", 3, "--expires", NEXT_YEAR, out)
    verify = ("registry", "verify", out, "--root")
    fails(*verify, root_key.public.hex(), says="its signature does not hold")
    out.write_bytes(out.read_bytes().replace(b"West Unit", b"Wesp Unit"))
    fails(*verify, ceremony.folder / "root.pub", says="its signature does not hold")
    out.write_bytes(b"junk")
    fails(*verify, ceremony.folder / "root.pub", says="not a registry, or it is damaged")
    fails(*verify, "abcd", says="The root is 64 hex digits")


def test_a_card_holds_the_public_parts_alone(ceremony):
    unit = json.loads((ceremony.folder / "u/unit-card.json").read_bytes())
    assert set(unit) == {"card", "id", "name", "forces", "certificate", "fingerprint", "reply_key"}
    assert "PUBLIC KEY BLOCK" in unit["certificate"]
    courier = json.loads((ceremony.folder / "courier-card.json").read_bytes())
    assert set(courier) == {"card", "unit", "key_id", "public_key"}
    for name in ("courier.key", "root.key", "u/reply.key.gpg"):
        assert (ceremony.folder / name).stat().st_mode & 0o777 == 0o600


def test_nothing_is_ever_overwritten(ceremony):
    folder = ceremony.folder
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    unit = ("unit", "new", folder / "u", "--id", "x", "--name", "Unit X", "--no-passphrase")
    fails(*unit, says="There are keys in")
    fails("courier", "new", folder / "courier.key", "--unit", "x", says="is there already")
    fails("courier", "new", folder / "second.key", "--unit", "x", says="courier-card.json is there already")
    fails("root", "new", folder / "root.key", "--no-passphrase", says="is there already")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_passphrase_is_asked_for_twice_and_not_shown(short_folder, tmp_path):
    folder = short_folder()
    unit = ("unit", "new", folder / "u", "--id", "safe", "--name", "Safe Unit", "--force", "f", "A Force")
    differs = run(*unit, stdin="one passphrase\nanother\n")
    assert differs.exit_code == 1
    assert not (folder / "u").exists()
    done = run(*unit, stdin=PHRASE * 2)
    assert done.exit_code == 0, done.output
    assert "passphrase" not in done.output.replace("Passphrase", "").lower()
    ask = ["gpg-connect-agent", "--homedir", folder / "u" / "gnupg", "--no-autostart", "/bye"]
    assert b"no gpg-agent running" in subprocess.run(ask, capture_output=True, check=False).stderr
    with pytest.raises(OpeningFailed):  # the passphrase is remembered nowhere, and nobody is asked here
        Opener(folder / "u" / "gnupg").open(folder / "u" / "reply.key.gpg", lambda _: None)

    assert run("root", "new", folder / "root.key", stdin=PHRASE * 2).exit_code == 0
    sign = ("registry", "sign", "--root-key", folder / "root.key", "--card", folder / "u/unit-card.json")
    rest = ("--version", 1, "--expires", NEXT_YEAR, tmp_path / "out")
    fails(*sign, *rest, stdin="wrong\n", says="passphrase")
    assert not (tmp_path / "out").exists()
    done = run(*sign, *rest, stdin=PHRASE)
    assert done.exit_code == 0, done.output
    assert "no courier" in done.output


def test_cards_that_do_not_belong_together_are_refused(ceremony, tmp_path):
    rest = ("--version", 1, "--expires", NEXT_YEAR, tmp_path / "out")
    alone = ("registry", "sign", "--root-key", ceremony.folder / "root.key", "--card")
    fails(*alone, ceremony.folder / "courier-card.json", *rest, says="whose own card is missing")
    again = ("--card", ceremony.folder / "u/unit-card.json")
    fails(*ceremony.sign, *again, *rest, says="two cards")
    past = (today() - timedelta(days=1)).isoformat()
    fails(*ceremony.sign, "--version", 1, "--expires", past, tmp_path / "out", says="before it is issued")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "../x"},
        {"id": "West"},
        {"name": "West\x1b[2J Unit"},
        {"name": "tinU\u202e tseW"},
        {"name": ""},
        {"fingerprint": None},
        {"reply_key": "AAAA"},
        {"forces": [1]},
        {"forces": [{"id": "a b", "name": "x"}]},
        {"card": None},
        {"card": "courier"},
    ],
)
def test_a_card_that_is_none_is_refused(ceremony, tmp_path, changed):
    card = json.loads((ceremony.folder / "u/unit-card.json").read_bytes())
    (tmp_path / "card").write_text(json.dumps({**card, **changed}))
    sign = ("registry", "sign", "--root-key", ceremony.folder / "root.key", "--card", tmp_path / "card")
    rest = ("--version", 1, "--expires", NEXT_YEAR, tmp_path / "out")
    fails(*sign, *rest, says="is not a card of a unit or courier")


def test_a_card_whose_certificate_was_exchanged_is_refused(ceremony, tmp_path, unit_keys):
    card = json.loads((ceremony.folder / "u/unit-card.json").read_bytes())
    (tmp_path / "card").write_text(json.dumps({**card, "certificate": unit_keys.unit.certificate}))
    sign = ("registry", "sign", "--root-key", ceremony.folder / "root.key", "--card", tmp_path / "card")
    rest = ("--version", 1, "--expires", NEXT_YEAR, tmp_path / "out")
    fails(*sign, *rest, says="not the one that its fingerprint names")


@pytest.mark.parametrize(
    "arguments",
    [
        ("unit", "new", "x", "--id", "Not Short", "--name", "A Unit"),
        ("unit", "new", "x", "--id", "u", "--name", "two\nlines"),
        ("unit", "new", "x", "--id", "u", "--name", "A Unit", "--months", "0"),
        ("unit", "new", "x", "--id", "u", "--name", "A Unit", "--force", "A Force", "a-force"),
        ("courier", "new", "x"),
        ("registry", "sign", "x"),
    ],
)
def test_a_wrong_call_is_explained(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2
    assert "Usage:" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    missing = tmp_path / "no" / "folder" / "courier.key"
    fails("courier", "new", missing, "--unit", "u", says=f"{missing}: No such file or directory")


def test_it_runs_as_the_launcher_runs_it():
    command = [
        sys.executable,
        "-c",
        "from deploy.cli import candour; candour()",
        "keys",
        "registry",
        "--help",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sign" in done.stdout
    assert "verify" in done.stdout


def test_digits_are_grouped_to_be_read_out():
    assert grouped("abcdef012") == "ABCD EF01 2"
