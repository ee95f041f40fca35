"""`deploy/install`: the command line."""

import argparse
import sys
from ipaddress import ip_network
from pathlib import Path

from deploy.bootstrap import SetupError, say
from deploy.errors import DeployError
from deploy.host.place import Place
from deploy.host.steps import Wishes, install, uninstall


def command_line() -> argparse.ArgumentParser:
    """What may be typed."""
    parser = argparse.ArgumentParser(
        prog="deploy/install",
        description="Install Candour's two web services on a Debian 12 or 13 of their own. Run again, it renews.",
    )
    parser.add_argument("--registry", type=Path, metavar="FILE", help="the signed registry")
    parser.add_argument(
        "--registry-root", type=Path, metavar="FILE", help="its public root key: the first time only"
    )
    parser.add_argument("--ssh-from", type=_network, metavar="ADDRESS", help="let ssh in from here")
    parser.add_argument(
        "--no-ssh", action="store_true", help="let no ssh in: there is another way to the machine"
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="install into another root"
    )
    parser.add_argument(
        "--uninstall", action="store_true", help="remove it, and keep data, settings and the onions' keys"
    )
    return parser


def main() -> int:
    """The exit code."""
    wanted = command_line().parse_args()
    place = Place(wanted.root.resolve())
    try:
        if wanted.uninstall:
            uninstall(place)
        else:
            install(place, Wishes(wanted.registry, wanted.registry_root, wanted.ssh_from, wanted.no_ssh))
    except (DeployError, SetupError) as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"{error}. Mend that and run this again.")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Run it again to go on from here.")
        return 130
    return 0


def _network(address: str) -> str:
    return str(ip_network(address, strict=False))


if __name__ == "__main__":
    sys.exit(main())
