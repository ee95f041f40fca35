"""Pages out of templates, with what every page needs."""

import threading
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, g, make_response, render_template

from common.config import Limits
from source_interface.notices import NOTICES
from source_interface.refusals import size_in_words
from source_interface.services import services

_LONG_TEXT = 16 * 1024  # characters
_ROOM_FOR_LONG_TEXTS = threading.Lock()  # escaping one takes some twenty times its size for a moment


@dataclass(frozen=True)
class LimitsInWords:
    """What may be sent, as the pages say it before anything is uploaded."""

    max_text_chars: int
    max_files: int
    max_file_size: str
    max_report_size: str


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page, with the open session's token, the notice of the last action, and the limits."""
    session = getattr(g, "session", None)
    with _ROOM_FOR_LONG_TEXTS if len(values.get("text") or "") > _LONG_TEXT else nullcontext():
        content = render_template(
            template,
            service_name=services().config.service_name,
            session_open=session is not None and session.root is not None,
            csrf=session.csrf if session is not None else "",
            notice=NOTICES.get(getattr(g, "notice", "")),
            contacts=current_app.extensions["candour.contacts"],
            limits=_in_words(services().config.limits),
            **values,
        )
        return make_response(content, status)


def _in_words(limits: Limits) -> LimitsInWords:
    return LimitsInWords(
        max_text_chars=limits.max_text_chars,
        max_files=limits.max_files,
        max_file_size=size_in_words(limits.max_file_bytes),
        max_report_size=size_in_words(limits.max_report_bytes),
    )
