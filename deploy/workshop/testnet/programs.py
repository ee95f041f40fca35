"""The programs that the private network is made of."""

import shutil

from deploy.workshop.testnet.errors import TorMissing

PROGRAMS = ("tor", "tor-gencert")


def check_programs() -> None:
    """Raises TorMissing."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise TorMissing(
            f"The private Tor network needs {' and '.join(missing)}, and there is none on the PATH. "
            "Install Debian's package: sudo apt-get install tor"
        )
