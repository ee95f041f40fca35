"""A unit's keys: made for one use each, protected, told no hour, never overwritten."""

import io
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.days import today
from common.gpg.epochs import OVERLAP, epochs_of, month_after, month_of
from common.gpg.keyring import keys_of
from common.gpg.opening import Opener, OpeningFailed
from common.gpg.sealing import Sealer
from keys.gpg_key import CeremonyFailed
from keys.private_key import parse_private_key
from keys.unit.unit_keys import new_unit

pytestmark = pytest.mark.slow


def rows(gpg, folder):
    shown = gpg(folder / "gnupg", "--with-colons", "--show-keys", folder / "certificate.asc").stdout.decode()
    return [line.split(":") for line in shown.splitlines()]


def reply_key(opener, folder):
    pem = bytearray()
    opener.open(folder / "reply.key.gpg", pem.extend)
    return parse_private_key(bytes(pem))


@pytest.fixture(scope="module")
def whole(short_folder):
    """With as many months as a ceremony makes where nobody says how many: its folder, and the fingerprint."""
    folder = short_folder()
    return folder, new_unit(folder, "u", "Unit of Test", passphrase=None).fingerprint


def test_the_primary_key_only_certifies_and_the_subkeys_encrypt(gpg, whole):
    found = rows(gpg, whole[0])
    [primary] = [row for row in found if row[0] == "pub"]
    subkeys = [row for row in found if row[0] == "sub"]
    assert (primary[16], {char for char in primary[11] if char.islower()}) == ("ed25519", {"c"})
    assert {(row[16], "".join(filter(str.islower, row[11]))) for row in subkeys} == {("cv25519", "e")}
    assert len(subkeys) == 24


def test_there_is_a_key_for_each_month_and_none_tells_an_hour(gpg, whole):
    folder, fingerprint = whole
    this_month = month_of(today())
    begins, ends = [], []
    for row in rows(gpg, folder):
        if row[0] in ("pub", "sub", "uid"):
            assert int(row[5]) % 86400 == 0
        if row[0] == "sub":
            assert int(row[6]) % 86400 == 0
            begins.append(datetime.fromtimestamp(int(row[5]), UTC).date())
            ends.append(datetime.fromtimestamp(int(row[6]), UTC).date())
    months = [month_after(this_month, number) for number in range(24)]
    assert begins == [months[0] - OVERLAP, *months[1:]]
    assert ends == [month_after(month) + OVERLAP for month in months]
    found = epochs_of(keys_of(folder / "gnupg", fingerprint))
    assert [epoch.month for epoch in found] == months


def test_the_certificate_is_public_alone_and_names_the_unit(gpg, protected, tmp_path):
    certificate = (protected.folder / "certificate.asc").read_text()
    assert certificate == protected.made.certificate
    assert "PRIVATE" not in certificate
    shown = gpg(
        tmp_path, "--with-colons", "--show-keys", protected.folder / "certificate.asc"
    ).stdout.decode()
    assert f":{protected.made.fingerprint}:" in shown
    assert "Ünit, Safe (A.C.) (safe-unit)" in shown.replace("\\x3a", ":")


def test_the_reply_key_opens_in_the_units_home_alone(unit_keys, other_unit_keys):
    key = reply_key(Opener(unit_keys.folder / "gnupg"), unit_keys.folder)
    assert key.public_key().public_bytes_raw() == unit_keys.unit.reply_key
    with pytest.raises(OpeningFailed, match="not sealed to a key that is here"):
        reply_key(Opener(other_unit_keys.folder / "gnupg"), unit_keys.folder)


def test_what_is_private_is_the_owners_alone(unit_keys, protected):
    for folder in (unit_keys.folder, protected.folder):
        assert (folder / "reply.key.gpg").stat().st_mode & 0o777 == 0o600
        assert (folder / "gnupg").stat().st_mode & 0o777 == 0o700
        for file in (folder / "gnupg" / "private-keys-v1.d").iterdir():
            assert file.stat().st_mode & 0o777 == 0o600
        for file in folder.rglob("*"):
            if file.is_file() and file.name != "courier.key":
                assert b"BEGIN PRIVATE KEY" not in file.read_bytes()


def test_the_passphrase_opens_and_a_wrong_one_does_not(gpg, protected, tmp_path):
    Sealer(tmp_path / "home").seal(
        io.BytesIO(b"content"), [protected.folder / "certificate.asc"], tmp_path / "sealed"
    )
    home = protected.folder / "gnupg"
    right = gpg(home, "--decrypt", tmp_path / "sealed", passphrase=protected.passphrase)
    assert right.stdout == b"content", right.stderr
    for wrong in ("", protected.passphrase + "x", protected.passphrase[:-1]):
        refused = gpg(home, "--decrypt", tmp_path / "sealed", passphrase=wrong)
        assert (refused.returncode, refused.stdout) == (2, b"")
    for file in (home / "private-keys-v1.d").iterdir():
        assert b"protected-private-key" in file.read_bytes()


WATCH = """
import subprocess, sys
from pathlib import Path
real = subprocess.Popen
class Watched(real):
    def __init__(self, args, *rest, **options):
        real.__init__(self, args, *rest, **options)
        print(args, options.get("env"), file=sys.stderr)
subprocess.Popen = Watched
from keys.unit.unit_keys import new_unit
new_unit(Path(sys.argv[1]), "u", "Unit of Test", passphrase=sys.stdin.readline().strip(), months=1)
"""


def test_the_passphrase_is_in_no_argument_environment_or_file(short_folder):
    folder = short_folder()
    done = subprocess.run(
        [sys.executable, "-c", WATCH, folder],
        input="hunter2 hunter2\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--gen-key" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    for file in Path(folder).rglob("*"):
        assert not file.is_file() or b"hunter2" not in file.read_bytes()


def test_keys_are_never_overwritten(unit_keys):
    before = {file: file.read_bytes() for file in unit_keys.folder.rglob("*") if file.is_file()}
    with pytest.raises(CeremonyFailed, match=r"keys in .* already"):
        new_unit(unit_keys.folder, "other", "Other Unit", passphrase=None)
    assert {file: file.read_bytes() for file in unit_keys.folder.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("unit_id", "name", "passphrase"),
    [
        ("u", "Unit\n%no-protection", "secret phrase"),
        ("u\r", "Unit of Test", None),
        ("u", "Unit of Test", "two\nlines"),
        ("u", "Unit\0", None),
        ("u", "Unit of Test", ""),
        ("u", "Unit of Test", " leading"),
        ("u", "Unit of Test", "trailing "),
    ],
)
def test_what_gpg_would_misread_is_refused_before_anything_is_made(tmp_path, unit_id, name, passphrase):
    start = time.monotonic()
    with pytest.raises(CeremonyFailed) as failure:
        new_unit(tmp_path / "unit", unit_id, name, passphrase=passphrase)
    assert not (tmp_path / "unit").exists()
    assert not passphrase or passphrase not in str(failure.value)
    assert time.monotonic() - start < 60  # on a busy machine; gpg would make keys, or wait
