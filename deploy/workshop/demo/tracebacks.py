"""Whether a demo's servers show errors in full, for whoever develops.

A traceback can quote what was typed, so no server of a host or of a unit can show one. The servers' code has no switch
for it. A server is started with other settings instead (`traceback_config.py`), and `candour up` alone names those.
"""

import os
from dataclasses import replace
from pathlib import Path

from deploy import data_folder
from deploy.errors import DeployError
from deploy.run.servers import Server

ASKED = "CANDOUR_TRACEBACKS"
CONFIG = "deploy.workshop.demo.traceback_config"

NOTE = f"{ASKED}: errors are shown here in full, and can quote what is typed."


class TracebacksRefused(DeployError):
    """Errors are not shown in full here. The message says why and what to do."""


def are_asked_for(data: Path, *, onion: bool) -> bool:
    """Whether the environment asks for them. Raises TracebacksRefused where others than a developer may be typing."""
    if os.environ.get(ASKED) != "1":
        return False
    if onion:
        raise TracebacksRefused(
            f"With {ASKED} errors can show what was typed, so nobody else may come. Leave --onion or {ASKED} away."
        )
    if (
        data_folder.is_made(data)
        and data_folder.read_settings(data_folder.desk_settings(data)).get("unit") != data_folder.UNIT_ID
    ):
        raise TracebacksRefused(
            f"{data} is no demo, and with {ASKED} errors can show what was typed. Leave {ASKED} away."
        )
    return True


def shown_by(server: Server) -> Server:
    """The server, showing errors in full."""
    return replace(server, config=CONFIG)
