"""What the doctor says of certificates that end, made by the real ceremony."""

from dataclasses import replace
from datetime import timedelta

import pytest

from common.days import today
from common.gpg.certificate import look
from common.gpg.epochs import OVERLAP, month_after, month_of
from common.registry.units import Status
from deploy.doctor.expiry import NEAR_END, check_certificates
from deploy.doctor.finding import State


@pytest.fixture
def registry(registry, lasting_keys):
    """In which all certificates last for two years."""
    certificate = lasting_keys.unit.certificate
    return replace(registry, units=tuple(replace(unit, certificate=certificate) for unit in registry.units))


def on(registry, day):
    return [(finding.state, finding.text) for finding in check_certificates(registry, day)]


def test_the_last_day_is_told_in_time_and_not_before(registry):
    names = [unit.name for unit in registry.units]
    last = look(registry.units[0].certificate).last_day
    assert last == month_after(month_of(today()), 24) + OVERLAP - timedelta(days=1)
    [(state, text)] = on(registry, last - NEAR_END - timedelta(days=1))
    assert (state, text) == (State.GOOD, "No certificate in the registry ends within 60 days")
    assert on(registry, last - NEAR_END) == [
        (State.WARNING, f"The certificate of {name} ends on {last}") for name in names
    ]


def test_one_that_cannot_be_read_is_wrong_and_who_is_not_enrolled_is_not_looked_at(registry):
    first, *rest = registry.units
    broken = replace(first, certificate="junk")
    assert on(replace(registry, units=(broken, *rest)), today()) == [
        (State.WRONG, f"The certificate of {first.name} cannot be read")
    ]
    suspended = replace(broken, status=Status.SUSPENDED)
    [(state, _)] = on(replace(registry, units=(suspended, *rest)), today())
    assert state is State.GOOD


def test_an_identity_key_is_looked_at_too(registry):
    first, *rest = registry.units
    apart = replace(first, identity_certificate="junk", identity_fingerprint="A" * 40)
    assert on(replace(registry, units=(apart, *rest)), today()) == [
        (State.WRONG, f"The identity key of {first.name} cannot be read")
    ]
