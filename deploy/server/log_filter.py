"""Log records without values: an error is told by its kind and place, never by its text or its request.

gunicorn and Flask log an unhandled error with its traceback, its message and the address asked for; a request that
is not HTTP is logged with what it said. Any of these may hold what a reporter typed. A record factory is the one
place that all of Python's logging passes through, whichever library writes. What has none of the forms that `log_forms`
lists goes no further than this.
"""

import logging
import sys
import threading
from types import TracebackType
from typing import Any

from common.error_place import kind_and_place
from deploy.server.log_forms import is_allowed

_OURS = ("common.", "keys.", "source_interface.", "journalist_interface.", "deploy.")
_WITHHELD = "Something of another form was not written:"


def install() -> None:
    """Make every log record of this process, and every error that ends a thread, quiet."""
    logging.raiseExceptions = False  # or a record that cannot be formatted is printed with its arguments
    logging.setLogRecordFactory(quiet_record)
    threading.excepthook = _thread_ended
    sys.excepthook = _ended


def quiet_record(*arguments: Any, **named: Any) -> logging.LogRecord:
    """A record as logging makes it, but for what could quote a request."""
    record = logging.LogRecord(*arguments, **named)
    if record.exc_info and record.exc_info[1] is not None:
        record.msg, record.args = kind_and_place(record.exc_info[1]), None
    record.exc_info = record.exc_text = None
    record.stack_info = None
    if record.levelno >= logging.WARNING and not is_allowed(_text_of(record)):
        place = "/".join(record.pathname.split("/")[-2:])
        record.msg, record.args = f"{_WITHHELD} {record.name} at {place}:{record.lineno}", None
    return record


def _text_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # its values do not fit its text
        return ""


def _ended(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """In place of a traceback: an error of our own with its message, which is for people; any other by its place."""
    named = f"{kind.__module__}.{kind.__qualname__}: {error}"
    told = named if kind.__module__.startswith(_OURS) and is_allowed(named) else kind_and_place(error)
    print(told, file=sys.stderr, flush=True)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        print(f"A thread ended by {kind_and_place(ended.exc_value)}", file=sys.stderr, flush=True)
