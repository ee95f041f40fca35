"""A host, as deploy/install leaves it: owners, doors, walls, units, and how old its backup is."""

import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from common.days import today
from common.phrases import count
from common.store.outbox import Outbox
from common.transport import settled_hours
from deploy.backup.layout import Layout, on_host
from deploy.doctor.finding import Finding, State, carefully
from deploy.doctor.server import check_server
from deploy.host import ownership
from deploy.host.place import SETTINGS, Place, StepFailed
from deploy.host.steps import TOR, UNITS
from deploy.onions.health import examine_tor

OLD_BACKUP = timedelta(days=8)
SOCKETS = ("/run/candour-source/http.sock", "/run/candour-collection/http.sock")
_AGAIN = "Run deploy/install again: it puts that right and keeps all data."


def examine_host(place: Place) -> Iterator[Finding]:
    """All findings on a host."""
    layout = on_host(place.root)
    settings = place.path(f"{SETTINGS}/server.toml")
    yield from carefully("Owners and modes", lambda: check_owners(place))
    yield from carefully("The server's settings", lambda: check_server(settings, layout.database))
    yield from carefully("The settled hours", lambda: check_settled(layout))
    yield from carefully("The backup", lambda: check_backup(layout.stamp))
    yield from carefully("Core dumps", lambda: check_core_pattern(place))
    yield from carefully("Units", lambda: check_enabled(place))
    if place.path("/run/systemd/system").is_dir():
        yield from carefully("Sockets", lambda: check_sockets(place))
    if place.live:
        if place.path("/run/systemd/system").is_dir():
            yield from carefully("Services", check_running)
        yield from carefully("The firewall", check_firewall)
        yield from carefully("Tor", examine_tor)


def check_owners(place: Place) -> Iterator[Finding]:
    """Hold what stands there against tmpfiles.d."""
    wrong = []
    for rule in ownership.rules():
        path = place.path(rule.path)
        if "*" in rule.path or (rule.path.startswith("/run/") and not path.exists()):
            continue
        if not path.exists():
            wrong.append(f"{rule.path} is missing")
        elif told := _differs(place, path, rule):
            wrong.append(f"{rule.path} {told}")
    if wrong:
        yield Finding(State.WRONG, "; ".join(wrong[:5]) + ("; and more" if len(wrong) > 5 else ""), _AGAIN)
    else:
        yield Finding(State.GOOD, "Settings, data and keys have their owners and modes")


def _differs(place: Place, path: Path, rule: ownership.Rule) -> str:
    status = path.lstat()
    user = 0 if rule.user == "root" else place.user(rule.user)
    group = 0 if rule.group == "root" else place.group(rule.group)
    if (status.st_uid, status.st_gid) != (user, group):
        return f"is not {rule.user}:{rule.group}"
    mode = stat.S_IMODE(status.st_mode)
    return f"has mode {mode:04o}, not {rule.mode:04o}" if mode != rule.mode else ""


def check_settled(layout: Layout) -> Iterator[Finding]:
    """Whether what waits between the units and the servers passes at the hours that the registry names."""
    outbox = Outbox(layout.blobs.with_name("outbox"), layout.blobs)
    try:
        hour = outbox.settled_hour()
    finally:
        outbox.close()
    if hour is None:
        yield Finding(State.GOOD, "Nothing was settled yet: the first start makes the first listing")
        return
    every = layout.read_config().load_registry().settle_every_hours
    one_earlier = datetime.now(UTC) - timedelta(hours=every)
    if settled_hours.is_due(hour, every) and settled_hours.is_due(hour, every, one_earlier):
        yield Finding(
            State.WRONG,
            f"Nothing has passed between the units and the servers since {hour}:00 UTC",
            "Mend what `journalctl --namespace=candour -u candour-settle` says, then run: systemctl start "
            "candour-settle.service",
        )
    else:
        yield Finding(State.GOOD, f"Settled last at {hour}:00 UTC; that is done every {count(every, 'hour')}")


def check_backup(stamp: Path) -> Iterator[Finding]:
    remedy = "Run `candour backup --to DIR --recipient CERT.asc`, and carry the file off this machine."
    if not stamp.exists():
        yield Finding(State.WARNING, "There has been no backup yet", remedy)
        return
    day = date.fromisoformat(stamp.read_text("ascii").strip())
    good = today() - day <= OLD_BACKUP
    yield Finding(
        State.GOOD if good else State.WARNING, f"The last backup is of {day}", "" if good else remedy
    )


def check_core_pattern(place: Place) -> Iterator[Finding]:
    pattern = place.path("/proc/sys/kernel/core_pattern").read_text("ascii", "replace").strip()
    if pattern == "|/bin/false":
        yield Finding(State.GOOD, "The kernel keeps no core of any program")
    else:
        yield Finding(State.WRONG, f"The kernel would keep cores ({pattern})", _AGAIN)


def check_sockets(place: Place) -> Iterator[Finding]:
    for name in SOCKETS:
        path = place.path(name)
        if not path.is_socket():
            yield Finding(
                State.WRONG,
                f"There is no socket {name}",
                "Run: systemctl start candour-source.socket candour-collection.socket",
            )
        elif path.stat().st_mode & 0o007:
            yield Finding(State.WRONG, f"The socket {name} is open to everybody", _AGAIN)
        else:
            yield Finding(State.GOOD, f"The socket {name} is there, for tor alone")


def check_enabled(place: Place) -> Iterator[Finding]:
    """Whether each unit starts with the machine; systemctl can tell without a running systemd."""
    off = []
    for unit in UNITS:
        try:
            place.tool("systemctl", "is-enabled", "--quiet", unit)
        except StepFailed:
            off.append(unit)
    if off:
        yield Finding(State.WRONG, f"Not enabled: {', '.join(off)}", _AGAIN)
    else:
        yield Finding(State.GOOD, "All units start with the machine")


def check_running() -> Iterator[Finding]:
    for unit in (*UNITS, TOR):
        asked = subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False)
        if asked.returncode == 0:
            yield Finding(State.GOOD, f"{unit} runs")
        else:
            remedy = (
                f"Run: journalctl --namespace=candour -u {unit}; mend what it says; systemctl restart {unit}"
            )
            yield Finding(State.WRONG, f"{unit} does not run", remedy)


def check_firewall() -> Iterator[Finding]:
    """Only root sees it."""
    asked = subprocess.run(
        ["nft", "list", "table", "inet", "candour"], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        remedy = "Run: systemctl restart nftables-candour.service (and run the doctor as root)."
        yield Finding(State.WRONG, "The firewall is not loaded, or cannot be seen", remedy)
    elif asked.stdout.count("policy drop") < 3:
        yield Finding(State.WRONG, "The firewall lets through what it should drop", _AGAIN)
    else:
        yield Finding(State.GOOD, "The firewall is loaded and drops what it does not name")
