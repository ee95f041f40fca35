"""What may be said of an unexpected error: its class and the place in the code. Never its values."""

import traceback


def where(error: BaseException) -> str:
    """Such as `KeyError at common.report.report:75`."""
    frames = list(traceback.walk_tb(error.__traceback__))
    if not frames:
        return type(error).__name__
    frame, line = frames[-1]
    return f"{type(error).__name__} at {frame.f_globals.get('__name__', '?')}:{line}"
