"""The command `candour keys`, from first key to verified registry, as a person uses it."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from common.days import today
from common.gpg.opening import Opener, OpeningFailed
from common.registry import registry as registries
from common.registry.units import Service
from common.version import VERSION
from keys.commands.main import keys
from keys.commands.shared import grouped
from keys.registry.draft import read_draft

pytestmark = pytest.mark.slow

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
    """A folder in which a unit, the charity's desk, a courier and the root have been made by command, and a draft.

    `said`: what the making of each card said.
    """

    folder: Path
    said: dict[Path, str] = field(default_factory=dict)

    @property
    def cards(self):
        return (self.folder / "u/unit-card.json", self.folder / "courier-card.json")

    def begin(self, draft, expires=NEXT_YEAR):
        """A draft with all cards, and everybody enrolled."""
        for arguments in (
            ("new", draft, "--expires", expires),
            ("add", draft, *self.cards),
            ("add", draft, self.folder / "c/unit-card.json", "--kind", "charity-desk"),
            ("set", draft, "west-unit", "--serves", "west-mercia", "--status", "enrolled"),
            ("set", draft, "charity-desk", "--status", "enrolled"),
        ):
            done = run("registry", *arguments)
            assert done.exit_code == 0, done.output
        return draft

    def sign(self, draft, out, version=3):
        return ("registry", "sign", draft, out, "--root-key", self.folder / "root.key", "--version", version)


@pytest.fixture(scope="module")
def ceremony(short_folder):
    folder = short_folder()
    outputs = []
    for arguments in (
        ("unit", "new", folder / "u", "--id", "west-unit", "--name", "West Unit", "--no-passphrase"),
        ("unit", "new", folder / "c", "--id", "charity-desk", "--name", "The Charity", "--no-passphrase"),
        ("courier", "new", folder / "courier.key", "--unit", "west-unit"),
        ("root", "new", folder / "root.key", "--no-passphrase"),
    ):
        done = run(*arguments)
        assert done.exit_code == 0, done.output
        outputs.append(done.output)
    made = Ceremony(
        folder, {folder / "u/unit-card.json": outputs[0], folder / "courier-card.json": outputs[2]}
    )
    made.begin(folder / "draft")
    return made


def test_from_first_key_to_a_registry_that_the_servers_take(ceremony, tmp_path):
    out = tmp_path / "registry.json"
    done = run(*ceremony.sign(ceremony.folder / "draft", out))
    assert done.exit_code == 0, done.output
    root = bytes.fromhex((ceremony.folder / "root.pub").read_text())
    registry = registries.verify(out.read_bytes(), root, today())
    assert (registry.version, registry.issued, registry.expires.isoformat()) == (3, today(), NEXT_YEAR)
    [unit] = registry.enrolled_units()
    [force] = registry.served_by(unit, today())
    assert (unit.id, unit.name, force.name_on(today())) == ("west-unit", "West Unit", "West Mercia Police")
    assert len(unit.couriers) == 1
    assert registry.desk.name == "The Charity"
    assert [file.name for file in tmp_path.iterdir()] == ["registry.json"]
    for named in (root.hex(), ceremony.folder / "root.pub"):
        shown = run("registry", "verify", out, "--root", named)
        assert shown.exit_code == 0
        for said in (
            "The signature holds.",
            "Version 3, issued on",
            f"Candour {VERSION} signed it.",
            f"The last day on which it holds is {registry.expires.day} ",
            "West Unit (west-unit)",
            "serves West Mercia Police (west-mercia)",
            grouped(unit.fingerprint),
            *unit.couriers,
        ):
            assert said in shown.output


def test_an_altered_expired_or_foreign_registry_is_refused(ceremony, tmp_path, root_key):
    out = tmp_path / "registry.json"
    run(*ceremony.sign(ceremony.folder / "draft", out))
    verify = ("registry", "verify", out, "--root")
    fails(*verify, root_key.public.hex(), says="its signature does not hold")
    out.write_bytes(out.read_bytes().replace(b"West Unit", b"Wesp Unit"))
    fails(*verify, ceremony.folder / "root.pub", says="its signature does not hold")
    out.write_bytes(b"junk")
    fails(*verify, ceremony.folder / "root.pub", says="not a registry, or it is damaged")
    fails(*verify, "abcd", says="The root is 64 hex digits")


def test_a_misspelt_folder_is_not_published_into_and_the_others_are_left(ceremony, tmp_path):
    out, server, root = tmp_path / "registry-1.json", tmp_path / "server", ceremony.folder / "root.pub"
    server.mkdir()
    assert run(*ceremony.sign(ceremony.folder / "draft", out)).exit_code == 0
    publish = ("registry", "publish", out, "--root", root)
    fails(*publish, f"{server}/", f"{tmp_path}/srever/", says="srever is no folder that is there")
    assert {file.name for file in tmp_path.rglob("*")} == {"registry-1.json", "server"}
    done = run(*publish, server)
    assert done.output == f"Published: {server}/registry.json\n"


def digits_in(output):
    """All that is read out: each group of digits that stands at the end of a line or of a sentence."""
    return set(re.findall(r"(?:[0-9A-F]{4} ){9,}[0-9A-F]{4}", output))


def test_who_made_keys_sees_every_digit_that_the_registry_shows_of_them(ceremony, tmp_path):
    run("registry", "new", tmp_path / "draft", "--expires", NEXT_YEAR)
    for card, count in zip(ceremony.cards, (2, 1), strict=True):
        added = run("registry", "add", tmp_path / "draft", card)
        shown = run("card", "show", card)
        assert shown.exit_code == 0, shown.output
        assert len(digits_in(shown.output)) == count
        assert digits_in(shown.output) == digits_in(added.output) == digits_in(ceremony.said[card])
        assert shown.output in ceremony.said[card]
    key_id = json.loads(ceremony.cards[1].read_bytes())["key_id"]
    assert f"  courier {key_id}\n" in shown.output


def test_a_card_that_is_none_or_whose_certificate_was_exchanged_is_not_shown(ceremony, tmp_path, unit_keys):
    show = ("card", "show", tmp_path / "card")
    (tmp_path / "card").write_text("junk")
    fails(*show, says="is not a card of a unit or courier")
    card = json.loads(ceremony.cards[0].read_bytes())
    (tmp_path / "card").write_text(json.dumps({**card, "certificate": unit_keys.unit.certificate}))
    fails(*show, says="not the one that its fingerprint names")


def test_a_card_holds_the_public_parts_alone(ceremony):
    unit = json.loads((ceremony.folder / "u/unit-card.json").read_bytes())
    assert set(unit) == {"card", "id", "name", "certificate", "fingerprint", "reply_key"}
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
    for asks in (unit[:-1], ("root", "new", folder / "root.key")):
        assert "Passphrase" not in run(*asks).output  # it refuses before it lets anybody choose one
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_passphrase_is_asked_for_twice_and_not_shown(ceremony, short_folder, tmp_path):
    folder = short_folder()
    unit = ("unit", "new", folder / "u", "--id", "safe", "--name", "Safe Unit", "--months", 1)
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
    draft = ceremony.begin(tmp_path / "draft")
    sign = ("registry", "sign", draft, tmp_path / "out", "--root-key", folder / "root.key", "--version", 1)
    fails(*sign, stdin="wrong\n", says="passphrase")
    assert not (tmp_path / "out").exists()
    done = run(*sign, stdin=PHRASE)
    assert done.exit_code == 0, done.output
    assert "no courier" in done.output


@pytest.mark.parametrize("short", ["a", "fifteen letters", " sixteen letters", "sixteen letters "])
def test_a_passphrase_that_could_be_found_by_trying_is_refused_wherever_one_is_chosen(
    ceremony, tmp_path, short
):
    before = {file: file.stat().st_mtime_ns for file in ceremony.folder.rglob("*") if file.is_file()}
    for chosen, typed in (
        (("root", "new", tmp_path / "root.key"), [short] * 2),
        (("unit", "new", tmp_path / "unit", "--id", "u", "--name", "U"), [short] * 2),
        (("unit", "passphrase", ceremony.folder / "u"), ["", short, short]),
    ):
        said = fails(*chosen, stdin="".join(f"{one}\n" for one in typed), says="16 characters or more")
        assert said.endswith("Five or six random words are good. Nothing was changed; begin again.")
    assert list(tmp_path.iterdir()) == []
    assert {file: file.stat().st_mtime_ns for file in ceremony.folder.rglob("*") if file.is_file()} == before


def test_cards_that_do_not_belong_together_are_refused(ceremony, tmp_path):
    run("registry", "new", tmp_path / "draft", "--expires", NEXT_YEAR)
    before = (tmp_path / "draft").read_bytes()
    add = ("registry", "add", tmp_path / "draft")
    unit, courier = ceremony.cards
    fails(*add, courier, says="has no unit west-unit. Add its card first")
    fails(*add, unit, courier, unit, says="two cards")
    assert (tmp_path / "draft").read_bytes() == before
    assert run(*add, courier, unit).exit_code == 0  # in whatever order
    fails(*add, unit, "--kind", "overseer", says="is in the draft as another kind (anti-corruption-unit)")


def test_what_cannot_be_a_registry_is_not_signed(ceremony, tmp_path):
    draft = ceremony.begin(tmp_path / "draft")
    good = draft.read_text()
    draft.write_text(
        good.replace(NEXT_YEAR, (today() - timedelta(days=1)).isoformat())
    )  # it lay there for too long
    fails(*ceremony.sign(draft, tmp_path / "out"), says="before it is issued")
    draft.write_text(good)
    run("registry", "set", draft, "charity-desk", "--status", "suspended")
    fails(*ceremony.sign(draft, tmp_path / "out"), says="one charity's desk, and that must be enrolled")
    assert [file.name for file in tmp_path.iterdir()] == ["draft"]


def test_the_settled_hours_are_set_in_the_draft_and_said(ceremony, tmp_path):
    draft = ceremony.begin(tmp_path / "draft")
    changed = run("registry", "set", draft, "--settle-every", "12")
    assert changed.exit_code == 0
    assert "every 12 hours, no longer every 6 hours" in changed.output
    assert json.loads(draft.read_bytes())["settle_every_hours"] == 12
    before = draft.read_bytes()
    assert run("registry", "set", draft, "--settle-every", "5").exit_code == 2
    assert draft.read_bytes() == before


@pytest.mark.parametrize("days", [0, -2500])
def test_a_last_day_that_is_over_is_refused_at_once(ceremony, tmp_path, days):
    day = (today() + timedelta(days=days)).isoformat()
    fails(
        "registry", "new", tmp_path / "draft", "--expires", day, says="that is not to come. Name a later one."
    )
    assert list(tmp_path.iterdir()) == []
    draft = ceremony.begin(tmp_path / "draft")
    before = draft.read_bytes()
    fails("registry", "set", draft, "--expires", day, says="Name a later one.")
    assert draft.read_bytes() == before


def test_a_version_that_is_signed_already_is_not_signed_again_where_it_lies(ceremony, tmp_path):
    draft = ceremony.begin(tmp_path / "draft")
    first = tmp_path / "registry-3.json"
    assert run(*ceremony.sign(draft, first)).exit_code == 0
    assert run(*ceremony.sign(draft, first)).exit_code == 0  # the very same, once more
    signed = first.read_bytes()
    (tmp_path / "other.json").write_bytes(b"junk")
    run("registry", "set", draft, "west-unit", "--status", "suspended")
    for out, version in ((first, 3), (tmp_path / "registry-4.json", 3), (tmp_path / "registry-2.json", 2)):
        again = ceremony.sign(draft, out, version)
        fails(*again, says="registry-3.json is signed, and has version 3. Sign this as 4 or higher")
        assert (first.read_bytes(), out.exists()) == (signed, out == first)
    assert run(*ceremony.sign(draft, tmp_path / "registry-4.json", 4)).exit_code == 0


def test_what_is_set_is_in_the_draft_and_is_said(ceremony, tmp_path):
    draft = ceremony.begin(tmp_path / "draft")
    for options, said in (
        (("--serves", "kent", "--from", "2027-05-01"), "named for kent from 1 May 2027"),
        (("--serves", "kent", "--until", "2027-05-31"), "kent from 1 May 2027 until 31 May 2027"),
        (("--conflict-route", "iopc", "--second-seal", "pirc"), "second seal of West Unit changes from none"),
        (("--conflict-route", "none"), "conflict route of West Unit changes from iopc to none"),
        (("--language", "en", "--language", "cy"), "The languages of West Unit change from en to en, cy"),
        (("--status", "suspended"), "West Mercia Police goes to the charity’s desk"),
        (("--status", "suspended"), "Nothing changes."),
    ):
        done = run("registry", "set", draft, "west-unit", *options)
        assert done.exit_code == 0, done.output
        assert said in done.output
    unit = read_draft(draft).unit("west-unit")
    assert (unit.conflict_route, unit.second_seal, unit.languages) == (None, "pirc", ("en", "cy"))
    assert [service.force for service in unit.serves] == ["west-mercia", "kent"]


def test_what_cannot_be_set_leaves_the_draft_as_it_was(ceremony, tmp_path):
    draft = ceremony.begin(tmp_path / "draft")
    before = draft.read_bytes()
    (tmp_path / "junk").write_text("junk")
    at = ("registry", "set", draft)
    fails(*at, "nobody", "--status", "enrolled", says="has no unit nobody")
    fails(*at, "iopc", "--status", "enrolled", says="The unit iopc has no keys yet")
    fails(
        *at,
        "west-unit",
        "--serves",
        "wets-mercia",
        says="has no force wets-mercia. Name one that it has, such as west",
    )
    fails(*at, "west-unit", "--conflict-route", "ipoc", says="no overseer ipoc. It has: iopc, pirc, poni.")
    fails(*at, "west-unit", "--second-seal", "west-unit", says="no overseer west-unit")
    gone = ("--no-longer-serves", "kent", "--until", "2027-05-01")
    fails(*at, "west-unit", *gone, says="does not serve kent. It serves: west-mercia.")
    fails(*at, "west-unit", "--drop-courier", "x", says="has no courier x")
    fails(*at, "west-unit", "--identity", tmp_path / "junk", says="not the card of an identity key")
    for wrong in (
        ("--status", "enrolled"),
        ("west-unit", "--from", "2027-05-01"),
        ("west-unit", "--no-longer-serves", "west-mercia"),
        ("west-unit", "--no-longer-serves", "west-mercia", "--from", "2027-05-01"),
        ("west-unit", "--no-longer-serves", "west-mercia", "--serves", "kent", "--until", "2027-05-01"),
    ):
        done = run(*at, *wrong)
        assert done.exit_code == 2
        assert "Usage:" in done.output
    assert draft.read_bytes() == before


def test_a_force_is_taken_away_from_a_day_on_and_its_history_stays(ceremony, tmp_path):
    draft = ceremony.begin(tmp_path / "draft")
    done = run(
        "registry", "set", draft, "west-unit", "--no-longer-serves", "west-mercia", "--until", "2127-04-30"
    )
    assert "West Mercia Police will go to the charity’s desk from 1 May 2127." in done.output
    [service] = read_draft(draft).unit("west-unit").serves
    assert service == Service("west-mercia", None, date(2127, 4, 30))
    later = ("--serves", "kent", "--from", "2127-05-01")
    run("registry", "set", draft, "west-unit", *later)
    never = ("--no-longer-serves", "kent", "--until", "2127-04-30")
    done = run("registry", "set", draft, "west-unit", *never)
    assert "Kent Police will no longer go to West Unit from 1 May 2127, as was said." in done.output
    assert read_draft(draft).unit("west-unit").serves == (service,)


def test_a_force_is_renamed_and_merged_by_command(ceremony, tmp_path):
    draft = ceremony.begin(tmp_path / "draft")
    rename = ("registry", "rename", draft)
    done = run(*rename, "west-mercia", "Marches Police", "--from", "2127-05-01")
    assert done.exit_code == 0, done.output
    assert (
        "from “West Mercia Police” to “West Mercia Police” until 30 April 2127, “Marches Police”"
        in done.output
    )
    merge = ("registry", "merge", draft)
    done = run(*merge, "kent", "--into", "west-mercia", "--from", "2127-05-01")
    assert done.exit_code == 0, done.output
    assert "Kent Police will go to West Unit from 1 May 2127." in done.output
    assert "Kent Police (kent) ends on 30 April 2127 and becomes part of west-mercia" in done.output
    two = (
        "surrey",
        "sussex",
        "--into",
        "south-downs",
        "--from",
        "2127-05-01",
        "--new-name",
        "South Downs Police",
    )
    done = run(*merge, *two)
    assert "The force South Downs Police (south-downs) is new." in done.output
    forces = {force.id: force for force in read_draft(draft).content.forces}
    assert (forces["south-downs"].region, forces["sussex"].successor) == ("South East", "south-downs")
    assert run(*ceremony.sign(draft, tmp_path / "out")).exit_code == 0

    before = draft.read_bytes()
    day = ("--from", "2127-06-01")
    fails(*rename, "wst-mercia", "X Police", *day, says="Name one that it has, such as west-mercia")
    fails(*rename, "west-mercia", "Marches Police", *day, says="is called that already")
    fails(
        *rename,
        "west-mercia",
        "X Police",
        "--from",
        "2127-05-01",
        says="had another name until 30 April 2127",
    )
    fails(*rename, "essex", "dorset  police", *day, says="The force dorset has that name on 1 June 2127")
    same = ("--into", "both", *day, "--new-name", "Dorset Police")
    fails(*merge, "essex", "norfolk", *same, says="The force dorset has that name")
    fails(*rename, "kent", "X Police", *day, says="ended on 30 April 2127 and is part of west-mercia")
    fails(*rename, "essex", "two\nlines", *day, says="one line of text")
    fails(*merge, "essex", "--into", "essex", *day, says="cannot become part of itself")
    fails(*merge, "essex", "--into", "kent", *day, says="Name one that stands")
    fails(*merge, "essex", "--into", "nowhere", *day, says="has no force nowhere")
    fails(*merge, "essex", "psni", "--into", "both", *day, "--new-name", "Both", says="by hand first")
    fails(*merge, "essex", "--into", "dorset", *day, "--new-name", "Both", says="in the draft already")
    assert draft.read_bytes() == before
    taken_over = run(*rename, "west-mercia", "Kent Police", *day)  # which is part of it by then, and no more
    assert taken_over.exit_code == 0, taken_over.output


def test_a_path_and_a_short_name_are_told_letter_by_letter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("some-draft").write_text("junk")
    error = fails("registry", "set", "some-draft", "--expires", NEXT_YEAR, says="is no draft of a registry")
    assert error.startswith("Error: some-draft is no draft")


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
        {"card": None},
        {"card": "courier"},
        {"card": "identity"},
    ],
)
def test_a_card_that_is_none_is_refused(ceremony, tmp_path, changed):
    card = json.loads((ceremony.folder / "u/unit-card.json").read_bytes())
    (tmp_path / "card").write_text(json.dumps({**card, **changed}))
    draft = ceremony.folder / "draft"
    before = draft.read_bytes()
    fails("registry", "add", draft, tmp_path / "card", says="is not a card of a unit or courier")
    assert draft.read_bytes() == before


def test_a_card_whose_certificate_was_exchanged_is_refused(ceremony, tmp_path, unit_keys):
    card = json.loads((ceremony.folder / "u/unit-card.json").read_bytes())
    (tmp_path / "card").write_text(json.dumps({**card, "certificate": unit_keys.unit.certificate}))
    draft = ceremony.begin(tmp_path / "draft")
    assert run("registry", "add", draft, tmp_path / "card").exit_code == 0
    fails(*ceremony.sign(draft, tmp_path / "out"), says="not the one that its fingerprint names")


@pytest.mark.parametrize(
    "arguments",
    [
        ("unit", "new", "x", "--id", "Not Short", "--name", "A Unit"),
        ("unit", "new", "x", "--id", "u", "--name", "two\nlines"),
        ("unit", "new", "x", "--id", "u", "--name", "A Unit", "--months", "0"),
        ("courier", "new", "x"),
        ("registry", "sign", "x"),
        ("registry", "new", "x", "--expires", "soon"),
        ("registry", "new", "x"),
        ("registry", "add", "x"),
        ("registry", "diff", "x", "y"),
        ("registry", "publish", "x", "y"),
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
    for name in ("new", "add", "set", "rename", "merge", "diff", "sign", "verify", "publish"):
        assert f"\n  {name} " in done.stdout


def test_digits_are_grouped_to_be_read_out():
    assert grouped("abcdef012") == "ABCD EF01 2"
