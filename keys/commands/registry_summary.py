"""A registry in words, as `candour keys registry` prints it before it is signed and after it was verified."""

from collections.abc import Mapping

import click

from common.phrases import count
from common.phrases import day as day_words
from common.registry.registry import Registry
from keys.commands.shared import grouped


def show_registry(registry: Registry) -> None:
    """Print what a registry says, unit by unit, with every key in digits to be compared."""
    click.echo(
        f"Version {registry.version}, issued on {day_words(registry.issued)}, "
        f"of {count(len(registry.forces), 'force')}."
    )
    click.echo(f"Candour {registry.signed_with} signed it.")
    click.echo(f"The last day on which it holds is {day_words(registry.expires)}.")
    click.echo(f"Hours between two settled hours: {registry.settle_every_hours}.")
    for unit in registry.units:
        click.echo(f"\n{unit.name} ({unit.id}), {unit.kind}, {unit.status}")
        for service in unit.serves:
            since = f" from {day_words(service.since)}" if service.since else ""
            until = f" until {day_words(service.until)}" if service.until else ""
            name = registry.force(service.force).name_on(registry.issued)
            click.echo(f"  serves {name} ({service.force}){since}{until}")
        for what, value in (
            ("certificate", grouped(unit.fingerprint)),
            ("signs answers", grouped(unit.reply_key.hex())),
            ("identity key", grouped(unit.identity_fingerprint)),
            ("in conflict", unit.conflict_route),
            ("also sealed to", unit.second_seal),
        ):
            if value:
                click.echo(f"  {what:<14} {value}")
        for key in unit.former_reply_keys:
            click.echo(f"  signed answers before\n                 {grouped(key.hex())}")
        _show_holders("the identity key", unit.identity_holders)
        for former in unit.former_identities:
            click.echo(f"  a former identity key\n                 {grouped(former.fingerprint)}")
            _show_holders("that one", former.holders)
        for key_id, public_key in sorted(unit.couriers.items()):
            click.echo(f"  courier {key_id}\n                 {grouped(public_key.hex())}")
        if unit.is_enrolled and not unit.couriers:
            click.echo("  no courier: nothing can be collected for it")
    click.echo()


def _show_holders(what: str, holders: Mapping[str, bytes]) -> None:
    for name, public_key in sorted(holders.items()):
        click.echo(f"  holds {what}, with others: {name}\n                 {grouped(public_key.hex())}")
