"""gpg is given of a certificate what counts on the day: the same month is sealed to, at the cost of one."""

import io
import os
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from common import sealing
from common.days import today
from common.epochs import OVERLAP, epochs_of, month_after, month_of
from common.gpg import gpg_environment
from common.keyring import keys_of
from common.opening import Opener
from common.sealing import RecipientRefused, Sealer
from common.units import Status
from keys.unit import GNUPG_HOME
from source_interface.recipients import Recipients

THIS = month_of(today())
NEXT = month_after(THIS)
DAY = timedelta(days=1)
END = month_after(THIS, 24) + OVERLAP  # the certificate's


@pytest.fixture
def recipients(tmp_path):
    return Recipients(tmp_path / "recipients")


@pytest.fixture
def months(unit_keys):
    """The month of each key of the unit."""
    keys = keys_of(unit_keys.folder / GNUPG_HOME, unit_keys.unit.fingerprint)
    return {epoch.fingerprint: epoch.month for epoch in epochs_of(keys)}


@pytest.fixture
def months_in(tmp_path, unit_keys, months):
    """The months whose keys a file has."""

    def look(file):
        if not file.read_bytes():
            return []
        command = ["gpg", "--homedir", tmp_path, "--batch", "--with-colons", "--show-keys", file]
        shown = subprocess.run(
            command, capture_output=True, check=True, env=gpg_environment()
        ).stdout.decode()
        found = [line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr:")]
        assert found[0] == unit_keys.unit.fingerprint
        return [months[fingerprint] for fingerprint in found[1:]]

    return look


@pytest.mark.parametrize(
    ("day", "those"),
    [
        (THIS, [THIS]),
        (NEXT - DAY - DAY, [THIS]),
        (NEXT - DAY, [THIS, NEXT]),  # midnight may come before it is used
        (NEXT, [THIS, NEXT]),  # gpg takes the newest
        (NEXT + OVERLAP, [THIS, NEXT]),
        (NEXT + OVERLAP + DAY, [NEXT]),
        (END - DAY, [month_after(THIS, 23)]),
        (THIS - OVERLAP, [THIS]),
    ],
    ids=str,
)
def test_a_days_file_has_the_months_that_are_valid_on_it(recipients, unit_keys, months_in, day, those):
    assert months_in(recipients.file(unit_keys.unit, day)) == those


@pytest.mark.parametrize("day", [END + DAY, THIS - OVERLAP - 2 * DAY], ids=str)
def test_where_no_month_is_valid_no_file_is_made(recipients, unit_keys, day):
    with pytest.raises(RecipientRefused):
        recipients.file(unit_keys.unit, day)
    assert not list(recipients._folder.glob("*/*"))


@pytest.mark.parametrize("day", [THIS, NEXT - DAY, NEXT, NEXT + OVERLAP, month_after(THIS, 12), END], ids=str)
@pytest.mark.parametrize("later", [0, 1])
def test_it_is_sealed_to_the_same_month_as_with_the_whole_certificate(
    recipients, unit_keys, months, tmp_path, monkeypatch, day, later
):
    """`later`: midnight comes between the file and the sealing."""
    monkeypatch.setattr(sealing, "today", lambda: day + later * DAY)
    opener, opened = Opener(unit_keys.folder / GNUPG_HOME), []
    whole = unit_keys.folder / "certificate.asc"
    for number, file in enumerate((recipients.file(unit_keys.unit, day), whole)):
        try:
            Sealer(tmp_path / "home").seal(io.BytesIO(b"x"), [file], tmp_path / str(number))
            opened.append(months[opener.open(tmp_path / str(number), lambda _: None)])
        except RecipientRefused:
            opened.append(None)
    assert opened[0] == opened[1]
    assert (opened[0] is None) == (day + later * DAY > END)


def test_days_that_are_over_go(recipients, unit_keys):
    files = [recipients.file(unit_keys.unit, THIS + days * DAY) for days in range(4)]
    assert [file.exists() for file in files] == [False, True, True, True]
    assert list(files[3].parent.iterdir()) == [files[3]]


def test_the_first_messages_at_once_find_their_certificate(recipients, unit_keys):
    """Each thread makes it under a name of its own, so that none moves another's away."""
    together = threading.Barrier(8)

    def look(_):
        together.wait(60)
        return recipients.file(unit_keys.unit, THIS)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            found = list(pool.map(look, range(8)))
            assert len({file.read_bytes() for file in found}) == 1
            assert list(found[0].parent.iterdir()) == [found[0]]
            found[0].unlink()


def test_they_are_made_ahead_for_all_so_that_no_file_tells_when_somebody_reported(
    recipients, other_unit_keys, identity_keys
):
    takes = identity_keys.unit
    units = (takes, other_unit_keys.unit, replace(other_unit_keys.unit, status=Status.SUSPENDED))
    recipients.prepare(units, (THIS, THIS + DAY))
    made = {file: file.stat().st_ctime_ns for file in recipients._folder.glob("*/*")}
    assert len(made) == 6
    for day in (THIS, THIS + DAY):
        for unit in units[:2]:
            assert recipients.file(unit, day) in made
        assert recipients.identity_file(takes, day) in made
    assert {file: file.stat().st_ctime_ns for file in recipients._folder.glob("*/*")} == made


@pytest.mark.parametrize("killed", ["--import", "--list-keys", "--export"])
def test_a_gpg_that_is_killed_leaves_nothing_that_others_would_take(
    recipients, unit_keys, tmp_path, monkeypatch, killed
):
    (tmp_path / "bin").mkdir()
    path, gpg = os.environ["PATH"], shutil.which("gpg")
    wrapper = tmp_path / "bin" / "gpg"
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in *{killed}*) kill -9 $$;; esac\nexec {gpg} "$@"\n')
    wrapper.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{path}")
    with pytest.raises(RecipientRefused):
        recipients.file(unit_keys.unit, THIS)
    monkeypatch.setenv("PATH", path)
    assert not list(recipients._folder.glob("*/*"))
    assert recipients.file(unit_keys.unit, THIS).exists()
