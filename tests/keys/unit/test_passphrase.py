"""`keys unit passphrase`: all secret keys of a unit take it, and a wrong one changes none."""

import pytest
from click.testing import CliRunner

from common.gpg.certificate import look
from common.gpg.keyring import Where, destroy, end_agent, keys_of, secret_certificates
from common.gpg.runner import run_gpg
from keys.cards import UnitCard, write_card
from keys.commands.main import keys
from keys.unit.unit_keys import (
    CASE_CERTIFICATE,
    CERTIFICATE,
    GNUPG_HOME,
    UNIT_CARD,
    change_unit_passphrase,
    new_unit,
)

OLD, NEW = "correct horse battery", "Pferd & Söhne, Stall"


@pytest.fixture(scope="module")
def unit(short_folder):
    """A unit of two months whose primary key is gone, as it mostly is, and whose other keys have no passphrase."""
    folder = short_folder()
    made = new_unit(folder, "unit", "Unit", passphrase=None, months=2)
    write_card(
        folder / UNIT_CARD,
        UnitCard("unit", "Unit", made.certificate, made.fingerprint, made.reply_public_key),
    )
    destroy(folder / GNUPG_HOME, keys_of(folder / GNUPG_HOME, made.fingerprint)[0])
    quick = "s2k-count 65536\n"  # else each key takes a tenth of a second, again and again
    (folder / GNUPG_HOME / "gpg-agent.conf").write_text(quick)
    end_agent(folder / GNUPG_HOME)
    return folder, made


def change(folder, *typed):
    return CliRunner().invoke(
        keys, ["unit", "passphrase", str(folder)], input="".join(f"{one}\n" for one in typed)
    )


def test_every_key_that_is_there_takes_it_and_no_other_opens(unit, gpg):
    folder, made = unit
    home = folder / GNUPG_HOME
    sealed = sealed_to_each(folder, made, gpg)
    assert len(sealed) == 3
    # Where there was none before, gpg would take what is typed as the old one for the new one of the first key.
    assert "Is the old one right?" in change(folder, "a slip of the hand", OLD, OLD).output
    assert all(gpg(home, "--decrypt", file).stdout == b"x" for file in sealed)
    for old, new in (("", OLD), (OLD, NEW)):
        done = change(folder, old, new, new)
        assert done.exit_code == 0, done.output
        assert new not in done.output
        for file in sealed:
            assert gpg(home, "--decrypt", file, passphrase=new).stdout == b"x", file
            assert gpg(home, "--decrypt", file, passphrase=old).stdout == b""
    done = change(folder, "wrong", OLD, OLD)
    assert done.exit_code == 1
    assert "Is the old one right?" in done.output
    assert all(gpg(home, "--decrypt", file, passphrase=NEW).stdout == b"x" for file in sealed)
    assert keys_of(home, made.fingerprint)[0].where is Where.GONE


def sealed_to_each(folder, made, gpg):
    """A file sealed to each key that opens: two months' and the case key."""
    home = folder / GNUPG_HOME
    case = look((folder / CASE_CERTIFICATE).read_text("ascii")).fingerprint
    plain = folder / "plain"
    plain.write_bytes(b"x")
    files = []
    for certificate in (made.fingerprint, case):
        for key in keys_of(home, certificate):
            if key.encrypts:
                file = folder / f"{key.keygrip}.gpg"
                at = f"{key.begins:%Y%m%d}T120000!"
                gpg(
                    home,
                    *(
                        "--faked-system-time",
                        at,
                        "--trust-model",
                        "always",
                        "--recipient",
                        f"{key.fingerprint}!",
                    ),
                    *("--output", file, "--encrypt", plain),
                )
                files.append(file)
    return files


def test_where_there_are_no_keys_it_says_so(tmp_path):
    done = change(tmp_path, "", NEW, NEW)
    assert done.exit_code == 1
    assert "has no secret keys" in done.output


@pytest.fixture
def two_units(short_folder):
    """Two units' keys, of one month each, with passphrases of their own."""
    folders = []
    for passphrase in (OLD, "another"):
        folder = short_folder()
        new_unit(folder, "unit", "Unit", passphrase=None, months=1)
        (folder / GNUPG_HOME / "gpg-agent.conf").write_text("s2k-count 65536\n")
        change_unit_passphrase(folder, "", passphrase)
        folders.append(folder)
    return folders


def test_keys_that_were_brought_over_take_it_too_or_are_named(two_units, gpg):
    """As where a unit's keys were stolen: what came to the old ones is read on the new machine."""
    brought, folder = two_units
    home, old_home = folder / GNUPG_HOME, brought / GNUPG_HOME
    given = run_gpg(old_home, "--export-secret-keys", passphrase=OLD)
    assert run_gpg(home, "--import", given=given.stdout, passphrase=OLD).returncode == 0
    old_ones = secret_certificates(old_home)
    assert len(old_ones) == 2
    done = change(folder, "another", NEW, NEW)
    assert done.exit_code == 1
    assert all(certificate in done.output for certificate in old_ones)
    assert not any(one in done.output for one in set(secret_certificates(home)) - set(old_ones))
    assert "The others have the new one" in done.output
    for _ in range(2):  # and again, as whoever is not sure does
        done = change(folder, OLD, NEW, NEW)
        assert done.exit_code == 0, done.output
    assert len(secret_certificates(home)) == 4
    for certificate in secret_certificates(home):
        end_agent(home)
        assert run_gpg(home, "--export-secret-keys", certificate, passphrase=NEW).stdout
        end_agent(home)
        assert not run_gpg(home, "--export-secret-keys", certificate, passphrase=OLD).stdout


def test_cut_short_in_the_middle_another_try_changes_the_rest(two_units):
    folder, _ = two_units
    files = folder / GNUPG_HOME / "private-keys-v1.d"
    before = {file: file.read_bytes() for file in files.iterdir()}
    case = look((folder / CASE_CERTIFICATE).read_text("ascii")).fingerprint
    [_, month] = keys_of(folder / GNUPG_HOME, look((folder / CERTIFICATE).read_text("ascii")).fingerprint)
    change_unit_passphrase(folder, OLD, NEW)
    for grip in (month.keygrip, *(key.keygrip for key in keys_of(folder / GNUPG_HOME, case))):
        (files / f"{grip}.key").write_bytes(before[files / f"{grip}.key"])
    change_unit_passphrase(folder, OLD, NEW)
    assert len(secret_certificates(folder / GNUPG_HOME)) == 2
    for certificate in secret_certificates(folder / GNUPG_HOME):
        end_agent(folder / GNUPG_HOME)
        assert (
            run_gpg(folder / GNUPG_HOME, "--export-secret-keys", certificate, passphrase=NEW).returncode == 0
        )
        end_agent(folder / GNUPG_HOME)
        assert not run_gpg(folder / GNUPG_HOME, "--export-secret-keys", certificate, passphrase=OLD).stdout
