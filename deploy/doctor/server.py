"""What the two servers stand on: their settings, the registry, the database, room on the disk."""

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy.engine import make_url

from common import phrases
from common.config import BadConfiguration, ServerConfig, read_server_config
from common.days import today
from common.registry import gaps
from common.registry.registry import Registry, RegistryRefused, SignatureRefused
from common.store import snapshot
from common.store.set_aside import set_aside_under, was_held
from common.store.sweep import KEEP_SET_ASIDE
from deploy.doctor import expiry
from deploy.doctor.finding import Finding, State, carefully

REGISTRY_NEAR_END = timedelta(days=30)
OLD_REGISTRY = timedelta(days=183)
_UNKNOWN_ROOT = (
    "It was altered, or is signed by a root that is not trusted here. Put the last good one back: until then nothing "
    "is taken in. Only if the root was changed on purpose: see deploy/workshop/drills/root-changes.md."
)


def check_server(settings: Path, database: Path) -> Iterator[Finding]:
    """`settings`: server.toml. `database`: SQLite's file."""
    try:
        config = read_server_config(settings)
        _ = config.pepper  # which is read when it is first asked for
    except BadConfiguration as error:
        yield Finding(State.WRONG, "The server's settings cannot be used", str(error))
        return
    yield Finding(State.GOOD, "The server's settings can be read")
    yield from check_registry(config)
    if make_url(config.database).get_backend_name() == "sqlite":
        yield from carefully("The database", lambda: check_database(database))
    yield from carefully("The sealed messages", lambda: check_set_aside(config))
    yield from carefully("Disk space", lambda: check_disk(database.parent, config))


def check_registry(config: ServerConfig) -> Iterator[Finding]:
    remedy = "Have a new one signed (keys/CEREMONY.md) and put it in place."
    try:
        registry = config.load_registry()
    except SignatureRefused as error:
        yield Finding(State.WRONG, str(error).rstrip("."), _UNKNOWN_ROOT)
        return
    except RegistryRefused as error:
        yield Finding(State.WRONG, str(error).rstrip("."), remedy)
        return
    left = registry.expires - today()
    if left < timedelta(0):
        last = registry.expires + timedelta(days=config.registry_grace_days)
        yield Finding(
            State.WARNING, f"The registry ended on {registry.expires}, in grace until {last}", remedy
        )
    elif left <= REGISTRY_NEAR_END:
        yield Finding(State.WARNING, f"The registry ends on {registry.expires}", remedy)
    elif today() - registry.issued > OLD_REGISTRY:
        yield Finding(
            State.WARNING, f"The registry was signed on {registry.issued}: is it the newest?", remedy
        )
    else:
        by = f"Candour {registry.signed_with} signed it"
        yield Finding(State.GOOD, f"The registry's signature holds, until {registry.expires}; {by}")
    yield from carefully("Overseers and units", lambda: check_gaps(registry, today()))
    yield from carefully("Certificates", lambda: expiry.check_certificates(registry, today()))


def check_gaps(registry: Registry, today: date) -> Iterator[Finding]:
    """Who has no overseer, and which forces no unit. A force that never had one is no warning: they come by and by."""
    remedy = "Have the unit enrolled, or another named, in a new registry (keys/CEREMONY.md)."
    for sentence in gaps.of_units(registry, today):
        yield Finding(State.WARNING, sentence.rstrip("."), remedy)
    without = gaps.forces_without_unit(registry, today)
    for force in without:
        for unit in registry.serving(force.id, today):
            text = f"{force.name_on(today)} goes to the charity’s desk: {unit.name} is {unit.status.replace('-', ' ')}"
            yield Finding(State.WARNING, text, remedy)
    if waiting := [force for force in without if not registry.serving(force.id, today)]:
        own = "its own goes" if len(waiting) == 1 else "their own go"
        text = f"{phrases.count(len(waiting), 'force')} without a unit of {own} to the charity’s desk"
        yield Finding(State.GOOD, text)


def check_database(database: Path) -> Iterator[Finding]:
    """Opened read-only: whoever closes SQLite's file last takes its log away, and that is for the servers to do."""
    if not database.exists() or not database.stat().st_size:
        yield Finding(State.GOOD, "There is no database yet; the first start makes it")
        return
    try:
        with snapshot.reading(database) as rows:
            next(rows, None)
    except snapshot.NoSnapshot as error:
        remedy = "Start the servers: they bring it to the newest shape. If it is damaged, restore a backup."
        yield Finding(State.WRONG, f"The database cannot be read, or has an old shape: {error}", remedy)
    else:
        yield Finding(State.GOOD, "The database opens, and has the newest shape")


def check_set_aside(config: ServerConfig) -> Iterator[Finding]:
    """Blobs that the database did not know when the servers started."""
    if count := sum(not was_held(blob) for blob in set_aside_under(config.blobs)):
        remedy = (
            f"A crash leaves a few. If the database is an old or another one, put the right one in place within "
            f"{KEEP_SET_ASIDE.days} days and start again: what it knows is taken back."
        )
        yield Finding(
            State.WARNING,
            f"Set aside, for the database does not know them: {phrases.count(count, 'sealed message')}",
            remedy,
        )


def check_disk(folder: Path, config: ServerConfig) -> Iterator[Finding]:
    disk, wanted = shutil.disk_usage(folder), config.limits.keep_free_bytes
    free, of_posts = disk.free, config.limits.kept_from_posts(disk.total)
    text = f"{free / 1024**3:.1f} GiB of disk are free for {folder}"
    if free < wanted:
        remedy = f"Free some: reports are refused below {wanted / 1024**3:.1f} GiB (keep_free_bytes)."
        yield Finding(State.WRONG, text, remedy)
    elif free < of_posts:
        remedy = (
            f"Free some: below {of_posts / 1024**3:.1f} GiB nothing of what units deliver is taken, so that it never "
            "closes the servers to reports (keep_free_bytes, reserve_for_reports_bytes)."
        )
        yield Finding(State.WARNING, text, remedy)
    else:
        yield Finding(State.GOOD, text)
