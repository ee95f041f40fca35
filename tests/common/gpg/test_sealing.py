"""Sealing: what gpg makes of a stream, and that nothing but its size can be told from it."""

import io
import os
import shutil
import subprocess
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from common.days import today
from common.gpg.runner import gpg_environment, midnight, private_home
from common.gpg.sealing import Sealer
from common.report import archive
from common.report.archive import FilePart

SECRET = b"the sergeant took the money"


@pytest.fixture
def sealer(tmp_path):
    return Sealer(tmp_path / "home")


@pytest.fixture
def sealed(sealer, unit_keys, tmp_path):
    """Seals bytes or a stream to the unit, and says where."""

    def seal(content, name="out.gpg"):
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        sealer.seal(source, [unit_keys.folder / "certificate.asc"], tmp_path / name)
        return tmp_path / name

    return seal


def test_a_file_that_is_there_is_written_into_and_stays_the_same_file(sealed, tmp_path):
    """A file system tells by its number when it was made."""
    (tmp_path / "made-ahead").touch(mode=0o600)
    before = (tmp_path / "made-ahead").stat()
    after = sealed(SECRET, "made-ahead").stat()
    assert after.st_size > len(SECRET)
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)


def gpg(unit_keys, *arguments):
    command = ["gpg", "--homedir", unit_keys.folder / "gnupg", "--batch", *arguments]
    return subprocess.run(command, capture_output=True, check=False, env=gpg_environment())


def children():
    """The gpg processes that this one started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = status.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if name == "gpg" and int(rest.split()[1]) == os.getpid():
            found.append(status.parent)
    return found


def test_a_person_with_gpg_and_unzip_opens_it(unit_keys, a_report, sealed, tmp_path):
    pieces = archive.write([FilePart("photo.jpg", iter([b"\xff\xd8\xff"]))], a_report)
    file = sealed(io.BytesIO(b"".join(pieces)))
    opened = gpg(unit_keys, "--decrypt", file)
    assert opened.returncode == 0, opened.stderr
    packed = tmp_path / "report.zip"
    packed.write_bytes(opened.stdout)
    text = subprocess.run(["unzip", "-p", packed, "report.txt"], capture_output=True, check=True).stdout
    assert b"It happened at the yard." in text
    assert zipfile.ZipFile(packed).testzip() is None


def test_a_message_names_no_recipient_tells_no_hour_and_is_not_compressed(unit_keys, sealed):
    shown = gpg(unit_keys, "--list-packets", sealed(SECRET)).stdout.decode()
    assert ":pubkey enc packet: version 3, algo 18, keyid 0000000000000000" in shown
    assert shown.count("pubkey enc packet") == 1
    assert "compressed packet" not in shown
    created = int(shown.split("created ")[1].split(",")[0])
    assert created % 86400 == 0
    assert 'name=""' in shown
    assert "mdc_method: 2" in shown
    assert (
        unit_keys.unit.fingerprint[-16:]
        not in shown.replace("encrypted with", "").split(":encrypted data")[0]
    )


def test_the_cipher_is_aes_256(unit_keys, sealed):
    shown = gpg(unit_keys, "--verbose", "--decrypt", sealed(SECRET)).stderr.decode()
    assert "AES256" in shown


@pytest.mark.parametrize("length", [0, 1, 5000, 300_000])
def test_the_size_depends_on_the_length_alone(sealed, length):
    contents = [bytes(length), os.urandom(length), (SECRET * (length // 20 + 1))[:length]]
    sizes = {sealed(content, f"{n}.gpg").stat().st_size for n, content in enumerate(contents)}
    assert len(sizes) == 1


def test_two_units_open_the_same_message_each_with_its_own_key(unit_keys, other_unit_keys, sealer, tmp_path):
    both = [keys.folder / "certificate.asc" for keys in (unit_keys, other_unit_keys)]
    sealer.seal(io.BytesIO(SECRET), both, tmp_path / "both.gpg")
    for keys in (unit_keys, other_unit_keys):
        assert gpg(keys, "--decrypt", tmp_path / "both.gpg").stdout == SECRET
    assert (
        gpg(unit_keys, "--list-packets", tmp_path / "both.gpg").stdout.count(b"keyid 0000000000000000") == 2
    )


class Watched:
    """A stream that, once gpg reads it, looks at gpg from outside."""

    def __init__(self):
        self.left = [SECRET * 40_000, SECRET * 40_000, b""]
        self.seen = []

    def read(self, size):
        piece = self.left[0][:size]
        self.left[0] = self.left[0][size:]
        if not self.left[0]:
            self.left.pop(0)
        if len(self.left) == 1 and not self.seen:
            for child in children():
                self.seen += [(child / name).read_bytes() for name in ("cmdline", "environ")]
        return piece


def test_nothing_of_it_is_in_an_argument_or_in_the_environment(sealed, monkeypatch):
    monkeypatch.setenv("CANDOUR_TEST_SECRET", SECRET.decode())
    source = Watched()
    sealed(source)
    command, environment = source.seen
    assert b"--hidden-recipient-file" in command
    assert b"sergeant" not in command + environment
    assert {line.split(b"=")[0] for line in environment.split(b"\0") if line} <= {b"PATH", b"LC_ALL"}


LOOK = """#!/bin/sh
for file in /proc/$$/fd/*; do
    link=$(readlink "$file") && echo "$link"
    case "$link" in
    /memfd:*) (echo changed > "$file"; echo changed >> "$file") 2> /dev/null && echo changed ;;
    esac
done > "{seen}"
exec {gpg} "$@"
"""


def test_gpg_inherits_the_certificate_which_nobody_can_change_and_nothing_else(
    unit_keys, tmp_path, monkeypatch
):
    seen, wrapper = tmp_path / "seen", tmp_path / "bin" / "gpg"
    wrapper.parent.mkdir()
    wrapper.write_text(LOOK.format(seen=seen, gpg=shutil.which("gpg")))
    wrapper.chmod(0o700)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    other = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(other, True)
    before = list(Path("/proc/self/fd").iterdir())
    Sealer(tmp_path / "home").seal(
        io.BytesIO(SECRET), [unit_keys.unit.certificate.encode()], tmp_path / "out.gpg"
    )
    assert list(Path("/proc/self/fd").iterdir()) == before
    os.close(other)
    links = [line.partition(":")[0] for line in seen.read_text().splitlines()]
    ours = {str(wrapper), str(seen)}  # the shell's own
    assert [link for link in links if link not in ours | {"pipe"}] == ["/memfd"]
    assert gpg(unit_keys, "--decrypt", tmp_path / "out.gpg").stdout == SECRET


def test_the_home_stays_empty_and_private(sealer, sealed, tmp_path):
    sealed(SECRET)
    assert list((tmp_path / "home").iterdir()) == []
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_many_threads_seal_at_once(unit_keys, sealed):
    threads = [threading.Thread(target=sealed, args=(b"%d" % n * 100_000, f"{n}.gpg")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    home = sealed(b"x").parent
    for n in range(8):
        assert gpg(unit_keys, "--decrypt", home / f"{n}.gpg").stdout == b"%d" % n * 100_000


def test_a_home_that_others_can_enter_is_closed(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    assert private_home(tmp_path / "open").stat().st_mode & 0o777 == 0o700


def test_midnight_is_written_as_gpg_wants_it():
    assert midnight(today()) == today().isoformat().replace("-", "") + "T000000!"


class Large:
    """A stream of so many bytes that keeps none."""

    def __init__(self, size):
        self.left = size

    def read(self, _):
        chunk = bytes(min(self.left, 2**20))
        self.left -= len(chunk)
        return chunk


def test_two_copies_of_a_large_stream_take_no_more_memory_than_a_small_one(
    unit_keys, other_unit_keys, sealer, tmp_path
):
    copies = [
        ([keys.folder / "certificate.asc"], tmp_path / name)
        for keys, name in ((unit_keys, "one"), (other_unit_keys, "two"))
    ]
    tracemalloc.start()
    try:
        sealer.seal_each(Large(2**26), copies)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 * 2**20
    assert (tmp_path / "one").stat().st_size == (tmp_path / "two").stat().st_size > 2**26
    assert gpg(other_unit_keys, "--decrypt", tmp_path / "one").returncode != 0
    assert len(gpg(other_unit_keys, "--decrypt", tmp_path / "two").stdout) == 2**26
    shown = gpg(unit_keys, "--list-packets", tmp_path / "one").stdout
    assert shown.count(b"pubkey enc packet") == 1  # nothing in it tells that there is another
