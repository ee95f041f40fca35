"""Where an error happened, and what kind it is: all that a log or a page may say of one that nobody expected.

Never its text: an error's text can quote what somebody typed, or a file's name.
"""

from types import TracebackType


def kind_and_place(error: BaseException) -> str:
    """Such as `ValueError at source_interface/app.py:71`; the kind alone where the error was never raised."""
    step: TracebackType | None = error.__traceback__
    if step is None:
        return type(error).__name__
    while step.tb_next is not None:
        step = step.tb_next
    file = "/".join(step.tb_frame.f_code.co_filename.split("/")[-2:])
    return f"{type(error).__name__} at {file}:{step.tb_lineno}"
