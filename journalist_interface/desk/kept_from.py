"""Whom the reporter wanted kept from the report: said with it, and minded before it is passed on."""

from contextlib import suppress
from datetime import date

from common.registry import Registry, UnknownForce
from common.report import SEVERAL, Report
from common.routing import serving_one_of


def in_words(report: Report, registry: Registry | None, day: date) -> str:
    """What the reporter asked; "" where they asked for nothing. Without a registry the force is named by its id."""
    if not report.kept_from:
        return ""
    if report.kept_from == SEVERAL:
        return (
            "The reporter said that more than one force must not see this, and did not say which. Ask them before you "
            "pass it on."
        )
    name = report.kept_from
    if registry is not None:
        with suppress(UnknownForce):
            name = registry.force(report.kept_from).name_on(day)
    return f"The reporter asked that {name} must not see this, nor any unit that serves it."


def units(report: Report, registry: Registry, day: date) -> frozenset[str]:
    """The units that serve a force that must not see it, today or later: all that serve one, where it was not named."""
    if report.kept_from == SEVERAL:
        return serving_one_of(registry, day, [force.id for force in registry.forces])
    return serving_one_of(registry, day, [report.kept_from] if report.kept_from else [])
