"""`python -m deploy.host.trial SETTINGS REMEMBERED`: would the services start with these settings?

Run by the installed code in its own environment, for the installer has none. Reads, and writes nothing.
"""

import sys
from pathlib import Path

from common.config import BadConfiguration, read_server_config
from common.registry.registry import RegistryRefused
from common.registry.version import check_not_older, recall


def main(settings: Path, remembered: Path) -> None:
    """Ends with a sentence and exit code 1 when they would not. `remembered`: the newest registry's version."""
    try:
        config = read_server_config(settings)
        _ = config.pepper  # which is read when it is first asked for
        check_not_older(config.load_registry(), recall(remembered, config.registry_root))
    except (BadConfiguration, RegistryRefused) as refused:
        sys.exit(str(refused))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
