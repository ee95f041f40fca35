"""gunicorn's settings for a demo's servers that show errors in full: those of all servers, and a louder log.

gunicorn alone imports this: the settings harden the process that loads them.
"""

import logging
import sys
import threading
import traceback
from typing import Any

from deploy.server.gunicorn_config import *  # noqa: F403
from deploy.server.log_filter import quiet_record


def loud_record(*arguments: Any, **named: Any) -> logging.LogRecord:
    """The record that any server would make. The error that is being handled is printed before it, in full."""
    record = quiet_record(*arguments, **named)
    error = sys.exception()
    if error is not None and record.levelno >= logging.ERROR:
        traceback.print_exception(error)
    return record


logging.setLogRecordFactory(loud_record)
threading.excepthook = threading.__excepthook__
sys.excepthook = sys.__excepthook__
