"""`python -m deploy.host.trial SETTINGS REMEMBERED`: would the services start with these settings?

Run by the installed code in its own environment, for the installer has none. Reads, and writes nothing.
"""

import sys
from contextlib import suppress
from pathlib import Path

from common.config import BadConfiguration, read_server_config
from common.registry import RegistryRefused


def main(settings: Path, remembered: Path) -> None:
    """Ends with a sentence and exit code 1 when they would not. `remembered`: the newest registry's version."""
    try:
        registry = read_server_config(settings).load_registry()
        newest = 0
        with suppress(OSError, ValueError):
            newest = int(remembered.read_text("ascii"))
        if registry.version < newest:
            raise RegistryRefused(f"its version {registry.version} is older than {newest}, seen before")
    except (BadConfiguration, RegistryRefused) as refused:
        sys.exit(str(refused))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
