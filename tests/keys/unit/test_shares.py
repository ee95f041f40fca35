"""The primary key in shares: a ceremony that is rehearsed here with some of its people missing."""

import io
import itertools

import pytest
from click.testing import CliRunner

from common.gpg.certificate import look
from common.gpg.keyring import Where, destroy, end_agent, keys_of
from common.gpg.opening import Opener
from common.gpg.runner import run_gpg
from common.gpg.sealing import Sealer
from keys.cards import UnitCard, read_card, write_card
from keys.commands.main import keys
from keys.gpg_key import CeremonyFailed
from keys.unit.shares import restore, split
from keys.unit.unit_keys import extend

pytestmark = pytest.mark.slow

PHRASE = "the passphrase of old"
NEW = "another passphrase"


def run(*arguments, stdin=None):
    done = CliRunner().invoke(keys, [str(argument) for argument in arguments], input=stdin)
    assert done.exit_code == 0, done.output
    return done.output


def unit_card(file):
    card = read_card(file)
    assert isinstance(card, UnitCard)
    return card


@pytest.fixture(scope="module")
def rehearsed(short_folder):
    """A protected unit, split 3 of 5, whose primary key left the workstation; and all that was said."""
    folder = short_folder()
    unit = ("unit", "new", folder / "u", "--id", "u", "--name", "Unit of Test", "--months", 1)
    said = run(*unit, stdin=f"{PHRASE}\n" * 2)
    said += run("unit", "split", folder / "u", folder / "s", "--remove-primary", stdin=f"{PHRASE}\n")
    return folder, said


@pytest.fixture(scope="module")
def bare(short_folder):
    """A unit without a passphrase, split 2 of 3."""
    folder = short_folder()
    run("unit", "new", folder / "u", "--id", "u", "--name", "Unit", "--months", 1, "--no-passphrase")
    split(folder / "u", folder / "s", need=2, of=3, passphrase=None)
    return folder


def test_with_two_shares_lost_the_key_comes_back_into_a_fresh_home_and_makes_months(
    rehearsed, short_folder, tmp_path
):
    folder, _ = rehearsed
    (folder / "s/share-1-of-5.txt").rename(tmp_path / "lost-1")
    (folder / "s/share-4-of-5.txt").rename(tmp_path / "lost-4")
    fresh = short_folder()
    shares = sorted((folder / "s").glob("share-*"))
    assert len(shares) == 3
    said = run("unit", "restore", fresh / "u", folder / "s/primary.box", *shares, stdin=f"{NEW}\n" * 2)
    assert "Extend it now" in said
    run("unit", "extend", fresh / "u", "--months", 1, stdin=f"{NEW}\n")
    [file] = (fresh / "u").glob("unit-card-2*.json")
    before, after = unit_card(folder / "u/unit-card.json"), unit_card(file)
    assert (after.fingerprint, after.id, after.name) == (before.fingerprint, before.id, before.name)
    assert after.reply_key != before.reply_key
    assert look(after.certificate).is_open
    Sealer(tmp_path / "home").seal(io.BytesIO(b"x"), [fresh / "u/certificate.asc"], tmp_path / "sealed")
    for phrase, content in ((PHRASE, b""), (NEW, b"x")):
        assert opened(fresh / "u", tmp_path / "sealed", phrase) == content
    for name in ("1", "4"):
        (tmp_path / f"lost-{name}").rename(folder / f"s/share-{name}-of-5.txt")


def opened(folder, sealed, phrase):
    end_agent(folder / "gnupg")
    try:
        return run_gpg(folder / "gnupg", "--decrypt", str(sealed), passphrase=phrase).stdout
    finally:
        end_agent(folder / "gnupg")


def test_the_workstation_works_on_without_the_primary_key_until_it_is_restored_there(bare, tmp_path):
    home, card = bare / "u/gnupg", unit_card(bare / "u/unit-card.json")
    destroy(home, keys_of(home, card.fingerprint)[0])
    assert [key.where for key in keys_of(home, card.fingerprint)] == [Where.GONE, Where.HERE]
    Opener(home).open(bare / "u/reply.key.gpg", lambda _: None)
    with pytest.raises(CeremonyFailed, match="Restore it from its shares"):
        extend(bare / "u", 1, None)
    shares = sorted((bare / "s").glob("share-*"))
    restore(bare / "u", bare / "s/primary.box", shares[1:], None)
    longer = extend(bare / "u", 1, None)
    assert [key.where for key in keys_of(home, card.fingerprint)] == [Where.HERE] * 3
    assert longer.card.reply_key == card.reply_key


def test_any_two_of_three_open_the_box_and_one_does_not(bare, short_folder):
    shares = sorted((bare / "s").glob("share-*"))
    for pair in itertools.combinations(shares, 2):
        folder = short_folder()
        assert restore(folder, bare / "s/primary.box", pair, None).id == "u"
    for too_few in ([shares[0]], [shares[0], shares[0]]):
        with pytest.raises(CeremonyFailed, match="too few of them, one twice"):
            restore(short_folder(), bare / "s/primary.box", too_few, None)


def test_a_wrong_word_is_told_by_its_file_and_never_shown(bare, short_folder, tmp_path):
    first, second, _ = sorted((bare / "s").glob("share-*"))
    for spoil in (
        lambda words: "academic" + words[words.index(" ") :],
        lambda words: "zzz " + words,
        lambda _: "",
    ):
        lines = first.read_text().splitlines()
        lines[3] = spoil(lines[3])
        wrong = tmp_path / "wrong.txt"
        wrong.write_text("\n".join(lines))
        with pytest.raises(CeremonyFailed, match=r"wrong\.txt is no share: a word is wrong") as failure:
            restore(short_folder(), bare / "s/primary.box", [wrong, second], None)
        assert failure.value.__cause__ is None
        assert failure.value.__context__ is None


def test_a_box_of_another_split_or_one_that_was_changed_does_not_open(bare, short_folder, tmp_path):
    shares = sorted((bare / "s").glob("share-*"))[:2]
    content = bytearray((bare / "s/primary.box").read_bytes())
    content[40] ^= 1
    box = tmp_path / "box"
    box.write_bytes(content)
    with pytest.raises(CeremonyFailed, match="not the box of these shares"):
        restore(short_folder(), box, shares, None)


def test_shares_are_for_one_person_each_and_said_nowhere(rehearsed):
    folder, said = rehearsed
    files = sorted((folder / "s").iterdir())
    assert [file.name for file in files] == ["primary.box", *(f"share-{n}-of-5.txt" for n in range(1, 6))]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    for file in files[1:]:
        rows = [line for line in file.read_text().splitlines() if not line.startswith("#")]
        words = " ".join(rows).split()
        assert len(words) == 33
        assert not any(row in said for row in rows)
    for file in folder.rglob("*"):
        assert not file.is_file() or PHRASE.encode() not in file.read_bytes()
    assert PHRASE not in said
    card = unit_card(folder / "u/unit-card.json")
    assert keys_of(folder / "u/gnupg", card.fingerprint)[0].where is Where.GONE


def test_a_wrong_passphrase_splits_and_removes_nothing(protected, tmp_path):
    made, folder = protected.made, protected.folder
    if not (folder / "unit-card.json").exists():
        write_card(
            folder / "unit-card.json",
            UnitCard("safe-unit", "Safe", made.certificate, made.fingerprint, made.reply_public_key),
        )
    with pytest.raises(CeremonyFailed, match="Is the passphrase right"):
        split(folder, tmp_path / "s", need=2, of=3, passphrase="wrong", remove=True)
    end_agent(folder / "gnupg")
    assert not (tmp_path / "s").exists()
    assert keys_of(folder / "gnupg", made.fingerprint)[0].where is Where.HERE
