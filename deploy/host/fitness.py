"""Whether a machine is fit to become a host: checked before anything is changed, each with what to do."""

import os
from collections.abc import Iterator
from pathlib import Path

from deploy.errors import DeployError
from deploy.host.place import SETTINGS, Place

DEBIANS = ("12", "13")


class Unfit(DeployError):
    """Candour is not installed on this machine as it is. The message says what to change."""


def check_root() -> None:
    """Raises Unfit."""
    if os.geteuid() != 0:
        raise Unfit("Only root can do that. Run it with sudo.")


def check(place: Place, ssh_from: str | None, no_ssh: bool) -> None:
    """Raises Unfit."""
    check_root()
    if not place.live:
        return
    _check_debian(place.path("/etc/os-release").read_text("utf-8"))
    areas = list(plain_swap(Path("/proc/swaps").read_text("ascii"), Path("/sys/block")))
    if areas:
        raise Unfit(
            f"Swap is on and not encrypted ({', '.join(areas)}): a report in memory could be written there. Turn it "
            "off with `swapoff -a`, take its line out of /etc/fstab, and run this again."
        )
    reachable = ssh_from or no_ssh or any(place.path(f"{SETTINGS}/firewall.d").glob("*.nft"))
    if "SSH_CONNECTION" in os.environ and not reachable:
        raise Unfit(
            "You are logged in by ssh, and the firewall would lock you out. Give --ssh-from ADDRESS to let one "
            "address in, or --no-ssh if you have another way to the machine."
        )


def _check_debian(release: str) -> None:
    told = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    if told.get("ID") != "debian" or told.get("VERSION_ID", "").strip('"') not in DEBIANS:
        raise Unfit(f"Candour is installed on Debian {' or '.join(DEBIANS)}, and this is something else.")


def plain_swap(swaps: str, blocks: Path) -> Iterator[str]:
    """The areas in /proc/swaps that reach a disk unencrypted. `blocks`: /sys/block."""
    for line in swaps.splitlines()[1:]:
        area = line.split()[0]
        name = Path(area).resolve().name
        if name.startswith("zram") and not _backs_onto_disk(blocks / name):
            continue
        uuid = blocks / name / "dm" / "uuid"
        if not (uuid.is_file() and uuid.read_text("ascii").startswith("CRYPT-")):
            yield area


def _backs_onto_disk(zram: Path) -> bool:
    device = zram / "backing_dev"
    return device.is_file() and device.read_text("ascii").strip() != "none"
