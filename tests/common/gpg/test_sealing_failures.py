"""Whatever fails while sealing is said to have failed: nobody is told that a report is safe when it is not."""

import io
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from common.days import today
from common.gpg.runner import gpg_environment, midnight, private_home
from common.gpg.sealing import RecipientRefused, Sealer, SealingFailed


@pytest.fixture
def sealer(tmp_path):
    return Sealer(tmp_path / "home")


@pytest.fixture(scope="module")
def certificates(short_folder):
    """A folder with certificates that are good, expired, revoked, not yet valid, and with no key to seal to."""
    folder = short_folder()
    home = private_home(folder / "gnupg")

    def gpg(*arguments, at=None, stdin=None):
        command: list[str] = [
            "gpg",
            "--homedir",
            str(home),
            "--batch",
            "--yes",
            "--pinentry-mode",
            "loopback",
        ]
        return subprocess.run(
            [*command, "--passphrase", "", "--faked-system-time", midnight(at or today()), *arguments],
            input=stdin,
            capture_output=True,
            check=True,
            env=gpg_environment(),
        ).stdout

    def made(name, *, at=None, lasts="1y", encrypts=True):
        gpg("--quick-gen-key", name, "ed25519", "cert", lasts, at=at)
        rows = gpg("--list-keys", "--with-colons", name).decode().splitlines()
        fingerprint = next(row.split(":")[9] for row in rows if row.startswith("fpr"))
        if encrypts:
            gpg("--quick-add-key", fingerprint, "cv25519", "encr", lasts, at=at)
        return fingerprint

    def exported(name, fingerprint):
        (folder / f"{name}.asc").write_bytes(gpg("--armor", "--export", fingerprint))

    exported("good", made("good"))
    long_ago = today() - timedelta(days=400)
    exported("expired", made("expired", at=long_ago))
    exported("future", made("future", at=today() + timedelta(days=30)))
    exported("certify-only", made("certify", encrypts=False))
    revoked = made("revoked")
    certificate = (
        (home / "openpgp-revocs.d" / f"{revoked}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    )
    gpg("--import", stdin=certificate.encode())
    exported("revoked", revoked)
    (folder / "empty.asc").touch()
    (folder / "junk.asc").write_bytes(b"no certificate")
    return folder


@pytest.mark.parametrize("name", ["expired", "revoked", "future", "certify-only", "empty", "junk", "missing"])
def test_a_recipient_that_is_not_valid_is_refused(sealer, certificates, tmp_path, name):
    with pytest.raises(RecipientRefused):
        sealer.seal(io.BytesIO(b"x" * 100_000), [certificates / f"{name}.asc"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_recipient_that_is_not_valid_is_enough(sealer, certificates, tmp_path):
    both = [certificates / "good.asc", certificates / "revoked.asc"]
    with pytest.raises(RecipientRefused):
        sealer.seal(io.BytesIO(b"x"), both, tmp_path / "out")
    sealer.seal(io.BytesIO(b"x"), both[:1], tmp_path / "out")


def test_what_the_source_raises_comes_out(sealer, certificates, tmp_path):
    class Broken:
        def __init__(self):
            self.pieces = [b"x" * 100_000, b"x" * 100_000]

        def read(self, size):
            if not self.pieces:
                raise ZeroDivisionError("the reporter went away")
            return self.pieces.pop()

    with pytest.raises(ZeroDivisionError, match="went away"):
        sealer.seal(Broken(), [certificates / "good.asc"], tmp_path / "out")


class Killer:
    """Kills gpg, our child, once so many bytes were asked for; then has more to give."""

    def __init__(self, after, then=64 * 1024 * 1024):
        self.after = after
        self.left = after + then
        self.killed: list[int] = []

    def read(self, size):
        self.after -= size
        if self.after < 0 and not self.killed:
            self.killed = list(gpg_children())
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)
        given = min(size, self.left)
        self.left -= given
        return bytes(given)


def gpg_children():
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = status.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if name == "gpg" and int(rest.split()[1]) == os.getpid():
            yield int(status.parent.name)


@pytest.mark.parametrize(("after", "then"), [(0, 2**26), (5 * 2**20, 2**26), (5 * 2**20, 1)])
def test_a_gpg_that_dies_on_the_way_is_a_failure(sealer, certificates, tmp_path, after, then):
    source = Killer(after, then)
    with pytest.raises(SealingFailed) as failure:
        sealer.seal(source, [certificates / "good.asc"], tmp_path / "out")
    assert not isinstance(failure.value, RecipientRefused)
    assert len(source.killed) == 1


def test_a_place_that_cannot_be_written_is_a_failure(sealer, certificates, tmp_path):
    for place in (tmp_path / "no" / "folder", tmp_path):
        with pytest.raises(SealingFailed):
            sealer.seal(io.BytesIO(b"x"), [certificates / "good.asc"], place)


def test_a_full_disk_is_a_failure(certificates, tmp_path):
    """A process that may write no more than 1 MB to a file: gpg is told so as by a full disk."""
    program = (
        "import io, resource, signal, sys\n"
        "from pathlib import Path\n"
        "from common.gpg.sealing import RecipientRefused, Sealer, SealingFailed\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "home, certificate, out = map(Path, sys.argv[1:])\n"
        "Sealer(home).seal(io.BytesIO(bytes(2**19)), [certificate], out)\n"
        "try:\n"
        "    Sealer(home).seal(io.BytesIO(bytes(2**22)), [certificate], out.with_suffix('.2'))\n"
        "except RecipientRefused:\n"
        "    print('refused')\n"
        "except SealingFailed:\n"
        "    print('failed')\n"
    )
    arguments = [tmp_path / "home", certificates / "good.asc", tmp_path / "out.1"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stdout == "failed\n", done.stderr


def test_no_recipient_at_all_is_never_sealed(sealer, tmp_path):
    with pytest.raises((SealingFailed, ValueError)):
        sealer.seal(io.BytesIO(b"x"), [], tmp_path / "out")
    assert not (tmp_path / "out").exists()
