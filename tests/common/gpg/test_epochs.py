"""Epochs: which month's key is sealed to on which day, by the real gpg with the flags of common/gpg/sealing.py."""

import io
from datetime import date, timedelta

import pytest

from common.days import today
from common.gpg import sealing
from common.gpg.epochs import OVERLAP, ahead, epochs_of, month_after, month_of
from common.gpg.keyring import keys_of
from common.gpg.opening import Opener
from common.gpg.sealing import RecipientRefused, Sealer

THIS = month_of(today())
NEXT = month_after(THIS)
END = month_after(THIS, 24) + OVERLAP  # the certificate's
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def unit_keys(lasting_keys):
    return lasting_keys


@pytest.fixture
def sealed_on(unit_keys, tmp_path, monkeypatch):
    """Seal on a day by the sealer's clock, open, and say the month of the key that opened it."""
    home = unit_keys.folder / "gnupg"
    months = {
        epoch.fingerprint: epoch.month for epoch in epochs_of(keys_of(home, unit_keys.unit.fingerprint))
    }

    def seal(day):
        monkeypatch.setattr(sealing, "today", lambda: day)
        out = tmp_path / day.isoformat()
        Sealer(tmp_path / "home").seal(io.BytesIO(b"x"), [unit_keys.folder / "certificate.asc"], out)
        return months[Opener(home).open(out, lambda _: None)]

    return seal


@pytest.mark.parametrize(
    ("day", "month"),
    [
        (today(), THIS),
        (THIS, THIS),  # its first day
        (NEXT - DAY, THIS),  # its last
        (NEXT, NEXT),  # although this month's key is valid for some days more
        (NEXT + OVERLAP, NEXT),
        (month_after(THIS, 2) - DAY, NEXT),
        (month_after(THIS, 2), month_after(THIS, 2)),
        (month_after(THIS, 24) - DAY, month_after(THIS, 23)),
        (THIS - DAY, THIS),  # a clock a day behind, on a certificate's first day
        (THIS - OVERLAP, THIS),
        (END, month_after(THIS, 23)),  # the months are over: the last serves for the overlap
    ],
    ids=str,
)
def test_a_report_is_sealed_to_the_key_of_its_month(sealed_on, day, month):
    assert sealed_on(day) == month


@pytest.mark.parametrize("day", [END + DAY, END + timedelta(days=400), THIS - OVERLAP - DAY], ids=str)
def test_where_no_month_is_valid_sealing_is_refused_with_a_sentence(sealed_on, day):
    with pytest.raises(RecipientRefused):
        sealed_on(day)
    assert "nothing can be sealed to it now." in str(RecipientRefused.__doc__)


@pytest.mark.parametrize(
    "day", [NEXT - DAY, NEXT, month_after(THIS, 12) - DAY, month_after(THIS, 12)], ids=str
)
@pytest.mark.parametrize("skew", [-DAY, DAY])
def test_a_clock_that_is_a_day_wrong_takes_a_key_that_the_unit_has(sealed_on, day, skew):
    assert sealed_on(day + skew) == month_of(day + skew)


def test_months_follow_each_other_over_a_years_end():
    spans = ahead(date(2027, 11, 1), 3, is_new=False)
    assert [span.month for span in spans] == [date(2027, 11, 1), date(2027, 12, 1), date(2028, 1, 1)]
    assert [span.begins for span in spans] == [span.month for span in spans]
    assert spans[1].ends == date(2028, 1, 1) + OVERLAP
    assert month_after(date(2027, 12, 1), 13) == date(2029, 1, 1)
