"""`keys unit passphrase`: all secret keys of a unit take it, and a wrong one changes none."""

import pytest
from click.testing import CliRunner

from common.keyring import Where, destroy, end_agent, keys_of
from keys.cards import UnitCard, write_card
from keys.certificates import look
from keys.cli import keys
from keys.unit import CASE_CERTIFICATE, GNUPG_HOME, UNIT_CARD, new_unit

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
    for old, new in (("", OLD), (OLD, NEW)):
        done = change(folder, old, new, new)
        assert done.exit_code == 0, done.output
        assert new not in done.output
        for file in sealed:
            assert gpg(home, "--decrypt", file, passphrase=new).stdout == b"x", file
            if old:
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


def test_where_there_is_no_case_key_it_says_so_and_changes_nothing(tmp_path, unit):
    folder, _ = unit
    (tmp_path / UNIT_CARD).write_bytes((folder / UNIT_CARD).read_bytes())
    done = change(tmp_path, "", NEW, NEW)
    assert done.exit_code == 1
    assert "unit case-key" in done.output
