"""What of a registry is near its end: the certificates that reports are sealed to, before reporters are turned away.

Promises: it looks at public parts alone, one gpg for each certificate, in an empty home.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from common.gpg.certificate import UnfitCertificate, look
from common.registry.registry import Registry
from deploy.doctor.finding import Finding, State

NEAR_END = timedelta(days=60)  # a new one takes a ceremony, a signature and a round of the courier


def check_certificates(registry: Registry, today: date) -> Iterator[Finding]:
    """A line for each certificate of an enrolled unit that has ended or soon will, or one that none has."""
    remedy = "Have the unit extend it, and a registry with the new card signed (keys/CEREMONY.md)."
    certificates = [
        (f"The {what} of {unit.name}", certificate)
        for unit in registry.units
        if unit.is_enrolled
        for what, certificate in (
            ("certificate", unit.certificate),
            ("identity key", unit.identity_certificate),
        )
        if certificate
    ]
    fine = 0
    for what, certificate in certificates:
        try:
            seen = look(certificate)
        except UnfitCertificate:
            yield Finding(State.WRONG, f"{what} cannot be read", remedy)
            continue
        if not seen.is_open:
            yield Finding(State.WRONG, f"{what} is expired, revoked, or cannot be sealed to", remedy)
        elif seen.last_day is not None and seen.last_day - today <= NEAR_END:
            yield Finding(State.WARNING, f"{what} ends on {seen.last_day}", remedy)
        else:
            fine += 1
    if fine == len(certificates):
        yield Finding(State.GOOD, f"No certificate in the registry ends within {NEAR_END.days} days")
