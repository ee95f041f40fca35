"""A courier's machine makes its own keys; what leaves it is public."""

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from common.transport.courier_key import CourierCard
from common.transport.onion import public_line, public_of, read_private_line
from journalist_interface.courier.cli import courier
from journalist_interface.courier.config import read_courier_config
from keys.cards import read_card

ADDRESS = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
OTHER = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a machine" / "courier"


def enrol(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(courier, ["enrol", *words, "--config", str(folder / "courier.toml")])


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_made_is_the_owners_alone_and_no_secret_is_shown(folder):
    done = enrol(folder, ADDRESS, "--unit", "west-unit", "--name", "west-1")
    assert done.exit_code == 0, done.output
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    onion, private = read_private_line((folder / "onion-auth/west-1.auth_private").read_text())
    assert onion == ADDRESS
    assert f"candour deploy admit west-1 {public_line(public_of(private))}\n" in done.output
    assert public_line(private).rpartition(":")[2] not in done.output
    assert "PRIVATE KEY" not in done.output


def test_tor_takes_what_was_written_for_it(folder):
    enrol(folder, ADDRESS, "--unit", "west-unit")
    torrc = folder / "torrc"
    words = ["tor", "-f", str(torrc), "--defaults-torrc", str(folder / "none"), "--verify-config"]
    said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30).stdout
    assert "Configuration was valid" in said
    assert torrc.read_text().endswith(f'ClientOnionAuthDir "{folder}/onion-auth"\n')


def test_its_card_and_its_settings_hold_the_key_that_signs(folder, registry_bytes, root_key):
    done = enrol(folder, ADDRESS, "--unit", "west-unit")
    (folder / "registry.json").write_bytes(registry_bytes)
    (folder / "registry-root.pub").write_text(root_key.public.hex())
    config = read_courier_config(folder / "courier.toml")
    assert config.collection == f"http://{ADDRESS}"
    assert config.socks == "socks5h://127.0.0.1:9250"
    assert "SocksPort 127.0.0.1:9250" in (folder / "torrc").read_text()
    card = read_card(folder / "courier-card.json")
    assert card == CourierCard("west-unit", config.identity.key_id, config.identity.public)
    shown = done.output.replace(" ", "").lower()
    assert config.identity.public.hex() in shown


def test_doing_it_again_shows_the_same_keys_and_changes_nothing(folder):
    first = enrol(folder, ADDRESS, "--unit", "west-unit", "--name", "west-1")
    before = files(folder)
    again = enrol(folder, ADDRESS)
    assert again.output == first.output
    assert files(folder) == before


def test_another_onion_gets_another_key_and_the_settings_stay_as_they_are(folder):
    first = enrol(folder, ADDRESS, "--unit", "west-unit", "--name", "west-1")
    before = files(folder)
    second = enrol(folder, OTHER, "--name", "west-2")
    lines = [re.search(r"descriptor:\S+", done.output)[0] for done in (first, second)]  # type: ignore[index]
    assert lines[0] != lines[1]
    assert {path.name for path in files(folder).keys() - before.keys()} == {"west-2.auth_private"}
    assert before.items() <= files(folder).items()
    assert f'must say:\n    collection = "http://{OTHER}"' in second.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([ADDRESS], "Name its unit with --unit"),
        ([ADDRESS[1:], "--unit", "west-unit"], "no address of an onion"),
        ([ADDRESS, "--unit", "West Unit"], "small letters"),
        ([ADDRESS, "--unit", "west-unit", "--name", "../x"], "small letters"),
    ],
)
def test_what_is_missing_or_mistyped_is_said_and_nothing_is_made(folder, words, says):
    done = enrol(folder, *words)
    assert done.exit_code != 0
    assert says in done.output
    assert files(folder) == {}


def test_a_damaged_key_is_named(folder):
    enrol(folder, ADDRESS, "--unit", "west-unit")
    damaged = folder / "onion-auth/courier.auth_private"
    damaged.write_text("x" + damaged.read_text())
    done = enrol(folder, ADDRESS)
    assert done.exit_code == 1
    assert f"{damaged} is not a key for an onion" in done.output
