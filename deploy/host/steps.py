"""Installing a host and taking it away, step by step. Each step can be repeated: a run that was cut short is mended
by the next.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common.durable import write_whole
from deploy import bootstrap
from deploy.bootstrap import say
from deploy.host import code, fitness, settings
from deploy.host.place import DATA, ONIONS, SETTINGS, Place, run

TREE = settings.HERE / "tree"
PROGRAMS = {
    "tor": "tor",
    "nft": "nftables",
    "apparmor_parser": "apparmor",
    "unattended-upgrade": "unattended-upgrades",
    "/usr/lib/systemd/systemd-timesyncd": "systemd-timesyncd",
}
UNITS = (
    "var-lib-candour.mount",
    "nftables-candour.service",
    "candour-source.socket",
    "candour-collection.socket",
    "candour-source.service",
    "candour-collection.service",
    "candour-settle.timer",
)
OTHER_TOR = "tor@default.service"  # a proxy that nobody here needs
TOR = "tor@candour.service"
OWN_FOLDERS = (
    "/etc/systemd/system/candour-.service.d",
    "/etc/systemd/system/tor@candour.service.d",
    "/etc/tor/instances/candour",
)


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for."""

    registry: Path | None
    registry_root: Path | None
    ssh_from: str | None
    no_ssh: bool


def install(place: Place, wishes: Wishes) -> None:
    """Raises Unfit, StepFailed, SetupError."""
    fitness.check(place, wishes.ssh_from, wishes.no_ssh)
    settings.check_registry_is_given(place, wishes.registry, wishes.registry_root)
    os.umask(0o022)
    if place.live:
        bootstrap.MORE_PROGRAMS["install"] = PROGRAMS
        bootstrap.install_packages("install")
    steps: list[tuple[str, Callable[[], None]]] = [
        ("Copying the code", lambda: code.copy_code(place)),
        ("Making its environment", lambda: code.make_environment(place)),
        ("Putting in place units, profiles and rules", lambda: copy_tree(place)),
        ("Making the users", lambda: place.tool("systemd-sysusers", "candour.conf")),
        ("Making the folders", lambda: settings.make_folders(place)),
        (
            "Putting in place settings and registry",
            lambda: settings.put_settings(place, wishes.registry, wishes.registry_root),
        ),
        ("Giving everything its owner and mode", lambda: set_modes(place, wishes.ssh_from)),
        ("Enabling the services", lambda: enable(place)),
    ]
    if place.live:
        steps.append(("Starting the services", start))
    for number, (title, step) in enumerate(steps, 1):
        say(f"[{number}/{len(steps)}] {title}.")
        step()
    say(_farewell(place))


def copy_tree(place: Place) -> None:
    """Copy each file of tree/ to where it says. They are ours: what stood there is replaced."""
    for file in tree_files():
        target = place.path(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, (TREE / file.lstrip("/")).read_bytes(), 0o644)


def tree_files() -> list[str]:
    """The host's paths of all files in tree/."""
    return sorted(f"/{file.relative_to(TREE)}" for file in TREE.rglob("*") if file.is_file())


def set_modes(place: Place, ssh_from: str | None) -> None:
    """What tmpfiles.d says, the couriers' lock, and where ssh may come from."""
    place.tool("systemd-tmpfiles", "--create", "candour.conf")
    settings.lock_collection(place)
    if ssh_from is not None:
        settings.open_ssh(place, ssh_from)


def enable(place: Place) -> None:
    """Have the units start with the machine. tor's own generator starts its instance."""
    place.tool("systemctl", "--quiet", "enable", *UNITS)
    place.tool("systemctl", "--quiet", "mask", OTHER_TOR)


def start() -> None:
    """Start all of it on the running machine, or again where it runs: walls first, the door last."""
    run("systemctl", "restart", "systemd-sysctl.service", "systemd-journald.service")
    if Path("/sys/module/apparmor").exists():
        run("apparmor_parser", "--replace", "/etc/apparmor.d/candour")
    run("systemctl", "daemon-reload")
    run("systemctl", "stop", OTHER_TOR)
    run("systemctl", "restart", "nftables-candour.service")
    run("systemctl", "start", "var-lib-candour.mount")
    run("systemctl", "restart", "candour-source.service", "candour-collection.service")
    run("systemctl", "start", "candour-settle.timer")
    run("systemctl", "restart", TOR)


def _farewell(place: Place) -> str:
    if not place.live:
        return f"Installed in {place.root}; nothing was started."
    names = {name: place.path(f"{ONIONS}/{name}/hostname") for name in ("source", "collection")}
    lines = [f"    {name:<11} {_first_line(file)}" for name, file in names.items()]
    return "\n".join(
        [
            "Installed and running. The onions:",
            *lines,
            "Now:",
            "    candour doctor          says whether all is well; tor may take some minutes to publish the onions",
            "    candour deploy admit    lets a unit's courier in: until then nobody reaches the collection",
            "    candour backup          before the first report, and each day: the onions' keys are only here",
            "deploy/OPERATOR.md says how, and what else is yours to do.",
        ]
    )


def _first_line(file: Path) -> str:
    return file.read_text("ascii").strip() if file.exists() else "(tor has not made its name yet)"


def uninstall(place: Place) -> None:
    """Take away what was installed; keep data, settings, users and the onions' keys. Raises Unfit, StepFailed."""
    fitness.check_root()
    if place.live and (place.path("/etc/systemd/system") / UNITS[0]).exists():
        say("Stopping the services.")
        for unit in (TOR, *reversed(UNITS)):
            run("systemctl", "stop", unit)
        run("systemctl", "stop", "candour-source.service", "candour-collection.service")
    say("Removing code, units, profiles and rules.")
    place.tool("systemctl", "--quiet", "unmask", OTHER_TOR)
    present = [unit for unit in UNITS if place.path(f"/etc/systemd/system/{unit}").exists()]
    if present:
        place.tool("systemctl", "--quiet", "disable", *present)
    if place.live and Path("/sys/module/apparmor").exists() and Path("/etc/apparmor.d/candour").exists():
        run("apparmor_parser", "--remove", "/etc/apparmor.d/candour")
    for file in tree_files():
        place.path(file).unlink(missing_ok=True)
    for folder in OWN_FOLDERS:
        with suppress(FileNotFoundError):
            place.path(folder).rmdir()
    code.remove_code(place)
    if place.live:
        run("systemctl", "daemon-reload")
    say(f"Removed. Kept: {SETTINGS}, {DATA}, {ONIONS}, and the users they belong to.")
    if place.live:
        say("The firewall is gone too: what else listens on this machine can be reached.")
