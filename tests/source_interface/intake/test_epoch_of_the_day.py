"""gpg is given of a certificate what counts on the day: the same month is sealed to, at the cost of one."""

import io
import subprocess
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from common.days import today
from common.gpg import sealing
from common.gpg.epochs import OVERLAP, epochs_of, month_after, month_of
from common.gpg.keyring import keys_of
from common.gpg.opening import Opener
from common.gpg.runner import gpg_environment
from common.gpg.sealing import RecipientRefused, Sealer
from keys.unit.unit_keys import GNUPG_HOME
from source_interface.intake.certificates import certificate_of_the_day

THIS = month_of(today())
NEXT = month_after(THIS)
DAY = timedelta(days=1)
END = month_after(THIS, 24) + OVERLAP  # the certificate's


@pytest.fixture(scope="module")
def unit_keys(lasting_keys):
    return lasting_keys


@pytest.fixture
def months(unit_keys):
    """The month of each key of the unit."""
    keys = keys_of(unit_keys.folder / GNUPG_HOME, unit_keys.unit.fingerprint)
    return {epoch.fingerprint: epoch.month for epoch in epochs_of(keys)}


@pytest.fixture
def months_in(tmp_path, unit_keys, months):
    """The months whose keys a certificate has."""

    def look(certificate):
        command = ["gpg", "--homedir", tmp_path, "--batch", "--with-colons", "--show-keys"]
        shown = subprocess.run(
            command, input=certificate, capture_output=True, check=True, env=gpg_environment()
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
def test_of_a_day_it_has_the_months_that_are_valid_on_it(unit_keys, months_in, day, those):
    assert months_in(certificate_of_the_day(unit_keys.unit, day)) == those


@pytest.mark.parametrize("day", [END + DAY, THIS - OVERLAP - 2 * DAY], ids=str)
def test_where_no_month_is_valid_nothing_can_be_sealed_to(unit_keys, day):
    with pytest.raises(RecipientRefused):
        certificate_of_the_day(unit_keys.unit, day)


@pytest.mark.parametrize("day", [THIS, NEXT - DAY, NEXT, NEXT + OVERLAP, month_after(THIS, 12), END], ids=str)
@pytest.mark.parametrize("later", [0, 1])
def test_it_is_sealed_to_the_same_month_as_with_the_whole_certificate(
    unit_keys, months, tmp_path, monkeypatch, day, later
):
    """`later`: midnight comes between the two."""
    monkeypatch.setattr(sealing, "today", lambda: day + later * DAY)
    opener, opened = Opener(unit_keys.folder / GNUPG_HOME), []
    whole = unit_keys.folder / "certificate.asc"
    for number, certificate in enumerate((certificate_of_the_day(unit_keys.unit, day), whole)):
        try:
            Sealer(tmp_path / "home").seal(io.BytesIO(b"x"), [certificate], tmp_path / str(number))
            opened.append(months[opener.open(tmp_path / str(number), lambda _: None)])
        except RecipientRefused:
            opened.append(None)
    assert opened[0] == opened[1]
    assert (opened[0] is None) == (day + later * DAY > END)


def test_what_is_given_to_gpg_are_packets_of_the_registry_s_certificate_as_they_stand(unit_keys, tmp_path):
    whole = subprocess.run(
        ["gpg", "--homedir", tmp_path, "--batch", "--dearmor"],
        input=unit_keys.unit.certificate.encode(),
        capture_output=True,
        check=True,
    ).stdout
    given = certificate_of_the_day(unit_keys.unit, THIS)
    place = whole.index(given[-1000:])  # the month's subkey and what binds it, as one piece
    assert whole.startswith(given[:-1000][:500])
    assert place < len(whole) - 1000
    assert len(given) < len(whole) / 4


def test_one_that_is_cut_short_or_is_something_else_is_refused(unit_keys):
    lines = unit_keys.unit.certificate.strip().splitlines()
    cut = ["\n".join(lines[:number]) for number in range(len(lines))]
    closed = [f"{one}\n{lines[-1]}" for one in cut]  # as whole as it looks, by its last line
    for bad in (*cut, *closed[:-4:3], "junk", lines[0], "\n".join(lines[1:]), "\n".join(reversed(lines))):
        try:
            given = certificate_of_the_day(replace(unit_keys.unit, certificate=bad), THIS)
        except RecipientRefused:
            continue
        assert bad in closed
        assert given == certificate_of_the_day(unit_keys.unit, THIS), "cut within a month that does not count"


def test_it_costs_next_to_nothing_with_24_months(unit_keys):
    """Two thousandths of a second where sealing takes thirty: nothing has to be made ahead."""
    began = time.process_time()
    for _ in range(20):
        certificate_of_the_day(unit_keys.unit, THIS)
    assert time.process_time() - began < 20 * 0.01
