"""The certificates that messages are sealed to, as the files that gpg takes: of each, what counts on the day.

A certificate has an epoch for each of many months, and gpg checks the signatures of them all each time it seals. So it
is given one without the epochs that are over or have not begun. gpg itself leaves them out, once a day; whether what
is left has expired or was revoked is for it to say, at each sealing.

A file system keeps the time at which a file was made. So they are made ahead, for all units, today and tomorrow, by a
thread of each server's own: no file is made because somebody reports.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from itertools import product
from pathlib import Path

from common.days import today
from common.gpg import gpg_environment, private_home
from common.keyring import keys_of
from common.registry import RegistryRefused
from common.registry_file import RegistryFile
from common.sealing import RecipientRefused
from common.store.blobs import blur_times
from common.units import Unit

_DAY = timedelta(days=1)
_LOOK_EVERY = 60.0  # seconds


class Recipients:
    """Keeps a folder for each of a few days. Safe to share between threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, unit: Unit, day: date) -> Path:
        """The certificate that a message to this unit is sealed to on a day. Raises RecipientRefused."""
        return self._file(unit.certificate, day, lambda home: _of_the_day(home, unit, day))

    def identity_file(self, unit: Unit, day: date) -> Path:
        """The certificate that contact details for this unit are sealed to: it has no epochs."""
        return self._file(unit.identity_certificate, day, lambda _: unit.identity_certificate.encode("ascii"))

    def _file(self, certificate: str, day: date, content: Callable[[Path], bytes]) -> Path:
        # Not by its fingerprint: one that was renewed or revoked has the same.
        name = hashlib.sha256(certificate.encode("ascii")).hexdigest()
        file = self._folder / day.isoformat() / f"{name}.gpg"
        if not file.exists():
            self._forget_before(day - 2 * _DAY)  # one that began before midnight may still be at work
            self._make(file, content, day)
        return file

    def prepare(self, units: Iterable[Unit], days: Iterable[date]) -> None:
        """Make what is not there yet, for each unit on each day. What gpg refuses is left for the one who needs it."""
        with self._alone() as alone:
            for unit, day in product([unit for unit in units if alone and unit.is_enrolled], days):
                with suppress(RecipientRefused):
                    self.file(unit, day)
                if unit.takes_contacts:
                    self.identity_file(unit, day)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other server process makes them at this moment."""
        descriptor = os.open(private_home(self._folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(descriptor)

    def clear(self) -> None:
        """Forget them all. Only while nobody seals."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _forget_before(self, day: date) -> None:
        for folder in private_home(self._folder).iterdir():
            if folder.name < day.isoformat():
                shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _make(file: Path, content: Callable[[Path], bytes], day: date) -> None:
        own = Path(tempfile.mkdtemp(prefix="new-", dir=private_home(file.parent)))
        try:
            part = own / file.name
            part.write_bytes(content(own))
            blur_times(part, day)
            part.rename(file)
        finally:
            shutil.rmtree(own)
            for folder in file.parents[:2]:
                blur_times(folder, day)


def _of_the_day(home: Path, unit: Unit, day: date) -> bytes:
    """The unit's certificate without the epochs that are over on the day, or have not begun on the day after."""
    _gpg(
        home, ["--import"], unit.certificate.encode("ascii")
    )  # its exit code tells that there is no agent: so what
    epochs = [
        key.fingerprint
        for key in keys_of(home, unit.fingerprint)
        if key.encrypts and key.begins <= day + _DAY and (key.ends is None or day <= key.ends)
    ]
    others = " && ".join(f"fpr <> {fingerprint}" for fingerprint in (unit.fingerprint, *epochs))
    exported = _gpg(home, ["--export-filter", f"drop-subkey={others}", "--export", f"0x{unit.fingerprint}"])
    if not epochs or not exported.stdout or exported.returncode:
        raise RecipientRefused  # nothing is kept, so that the next one tries again
    return exported.stdout


def _gpg(home: Path, arguments: list[str], given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    command = [
        *("gpg", "--homedir", os.fspath(home), "--batch", "--no-options", "--no-autostart", "--lock-never"),
        *("--trust-model", "always", "--no-auto-check-trustdb", *arguments),
    ]
    return subprocess.run(command, input=given, capture_output=True, check=False, env=gpg_environment())


def keep_ready(recipients: Recipients, registry: RegistryFile, over: threading.Event) -> None:
    """Prepare for today and tomorrow, and again when the day or the registry changes, until it is `over`."""
    done: tuple[int, date] | None = None
    while True:
        with suppress(RegistryRefused, OSError):  # whoever needs them then is told
            now, day = registry.current(), today()
            if done != (now.version, day):
                recipients.prepare(now.units, (day, day + _DAY))
                done = now.version, day
        if over.wait(_LOOK_EVERY):
            return
