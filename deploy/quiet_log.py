"""Log records without values: an error is told by its kind and place, never by its text or its request.

gunicorn and Flask log an unhandled error with its traceback, its message and the address asked for; a request that
is not HTTP is logged with what it said. Any of these may hold what a reporter typed. A record factory is the one
place that all of Python's logging passes through, whichever library writes.
"""

import logging
import sys
import threading
from types import TracebackType
from typing import Any

_NOT_HTTP = "Invalid request from"  # how gunicorn's worker begins, before quoting the request


def install() -> None:
    """Make every log record of this process, and every error that ends a thread, quiet."""
    logging.raiseExceptions = False  # or a record that cannot be formatted is printed with its arguments
    logging.setLogRecordFactory(quiet_record)
    threading.excepthook = _thread_ended


def quiet_record(*arguments: Any, **named: Any) -> logging.LogRecord:
    """A record as logging makes it, but for what could quote a request."""
    record = logging.LogRecord(*arguments, **named)
    if record.exc_info and record.exc_info[1] is not None:
        record.msg, record.args = kind_and_place(record.exc_info[1]), None
    elif str(record.msg).startswith(_NOT_HTTP):
        record.msg, record.args = "A request was not HTTP and was refused.", None
    record.exc_info = record.exc_text = None
    record.stack_info = None
    return record


def kind_and_place(error: BaseException) -> str:
    """Such as `ValueError at source_interface/intake.py:71`."""
    step: TracebackType | None = error.__traceback__
    if step is None:
        return type(error).__name__
    while step.tb_next is not None:
        step = step.tb_next
    file = "/".join(step.tb_frame.f_code.co_filename.split("/")[-2:])
    return f"{type(error).__name__} at {file}:{step.tb_lineno}"


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        print(f"A thread ended by {kind_and_place(ended.exc_value)}", file=sys.stderr, flush=True)
