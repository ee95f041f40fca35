"""The reporter's session: an encrypted cookie, and nothing on the server.

The key is made when the server starts, lives in the memory of its processes alone, and is gone when it stops: all
sessions end then. The cookie holds what the server needs to act for the reporter while the browser is open; who
steals the cookie without the key learns nothing. A view that wants a session asks for it by decorator; there is no
other way to one. A session ends when it was idle for too long, and in any case some hours after it began. Both are
measured by the machine's uptime, so that even the cookie holds no date. All cookies are of one length, that of the
longest session there can be: neither response nor request tells what is in them.
"""

import base64
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from flask import Response, current_app, g, request

from common.contexts import Context
from common.conversation.codename import WORDS_IN_A_CODENAME, word_list
from common.conversation.derivation import ROOT_BYTES
from common.conversation.destination import Destination
from common.names import LONGEST_ID
from common.secret import Secret
from source_interface.notices import NOTICES

COOKIE = "candour"
EXTENSION = "candour.sessions"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_LONGEST_UPTIME = 10**10 - 1  # seconds: three hundred years
_CSRF_BYTES = 18
_CSRF_CHARS = _CSRF_BYTES // 3 * 4

P = ParamSpec("P")


def _longest(value: object) -> dict[str, object]:
    """What marks a part of the session: the longest that it can be, by which all cookies have one length."""
    return {"longest": value}


@dataclass(frozen=True)
class Session:
    """What one browser is doing. Without `root` it is a visitor who has not begun."""

    csrf: str = field(repr=False, metadata=_longest("c" * _CSRF_CHARS))
    root: Secret | None = field(default=None, repr=False, metadata=_longest(Secret(bytes(ROOT_BYTES))))
    # Until the reporter has written them down
    words: tuple[str, ...] = field(
        default=(), repr=False, metadata=_longest((max(word_list(), key=len),) * WORDS_IN_A_CODENAME)
    )
    # Words put right on return, said once
    corrected: tuple[int, ...] = field(
        default=(), metadata=_longest(tuple(range(1, WORDS_IN_A_CODENAME + 1)))
    )
    # A code from notices.py, said once
    notice: str = field(default="", metadata=_longest(max(NOTICES, key=len)))
    # Chosen, for a conversation without header; and what goes into the seal of the report that is being written
    destination: Destination = field(
        default=Destination(),
        metadata=_longest(Destination("u" * LONGEST_ID, "s" * LONGEST_ID, "k" * LONGEST_ID)),
    )
    # Chosen for a conversation that has lost its holder
    again: bool = field(default=False, metadata=_longest(value=False))  # the longer word of the two
    # Uptime in seconds; None until its first cookie
    began: int | None = field(default=None, compare=False, metadata=_longest(_LONGEST_UPTIME))


class NoSession(Exception):
    """The session has ended, or never began."""


class SessionBox:
    """Encrypts sessions into cookies and back. One for all workers, made before they fork."""

    def __init__(self, idle_seconds: int, longest_seconds: int) -> None:
        self._cipher = ChaCha20Poly1305(ChaCha20Poly1305.generate_key())
        self._idle = idle_seconds
        self._longest = longest_seconds

    def close(self, session: Session) -> str:
        """The cookie's value."""
        uptime = int(time.monotonic())
        content = _written(replace(session, began=self._begun(session, uptime)), uptime)
        if len(content) > _SESSION_BYTES:
            raise ValueError("a session is longer than the longest there can be")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        even = content.ljust(_SESSION_BYTES)  # JSON allows white space after it
        sealed = self._cipher.encrypt(nonce, even, Context.SESSION.octets)
        return base64.urlsafe_b64encode(nonce + sealed).decode("ascii")

    def _begun(self, session: Session, uptime: int) -> int:
        """When the session began.

        A request that began in time may be answered past the end: a long upload. Where its codename is still to be
        shown, so much time is left as an idle session has. Whoever has such a cookie can read the codename anyway.
        """
        if session.began is None:
            return uptime
        if session.words and uptime - session.began > self._longest:
            return uptime + self._idle - self._longest
        return session.began

    def open(self, untrusted_cookie: str) -> Session:
        """The session in a cookie. Raises NoSession: altered, of another run of the server, idle or open too long."""
        if len(untrusted_cookie) != COOKIE_CHARS:
            raise NoSession
        try:
            sealed = base64.urlsafe_b64decode(untrusted_cookie.encode("ascii"))
            opened = self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], Context.SESSION.octets
            )
        except (ValueError, InvalidTag) as error:
            raise NoSession from error
        content = json.loads(opened)
        uptime = time.monotonic()
        if uptime - content["uptime"] > self._idle or uptime - content["began"] > self._longest:
            raise NoSession
        del content["uptime"]
        return Session(**{name: _READ.get(name, lambda told: told)(value) for name, value in content.items()})


# What JSON has no form of, and how it is read back
_READ: dict[str, Callable[[Any], Any]] = {
    "root": lambda told: Secret(bytes.fromhex(told)) if told else None,
    "words": tuple,
    "corrected": tuple,
    "destination": lambda told: Destination(**told),
}


def _written(session: Session, uptime: int) -> bytes:
    return json.dumps(vars(session) | {"uptime": uptime}, default=_plain).encode()


def _plain(part: object) -> object:
    return part.reveal().hex() if isinstance(part, Secret) else vars(part)


def longest_session() -> Session:
    """As long in each part as it can be."""
    return Session(**{part.name: part.metadata["longest"] for part in fields(Session)})


_SESSION_BYTES = len(_written(longest_session(), _LONGEST_UPTIME))
COOKIE_CHARS = len(base64.urlsafe_b64encode(bytes(_NONCE_BYTES + _SESSION_BYTES + _TAG_BYTES)))


def new_session() -> Session:
    """A visitor's session: a token for its forms and nothing else."""
    return Session(csrf=secrets.token_urlsafe(_CSRF_BYTES))


def visitor(view: Callable[Concatenate[Session, P], Response]) -> Callable[P, Response]:
    """Gives the view the session, a new one where there is none."""

    @wraps(view)
    def with_session(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            session = _from_request()
        except NoSession:
            session = new_session()
        return _answer(view, session, *args, **kwargs)

    return with_session


def reporter(view: Callable[Concatenate[Session, P], Response]) -> Callable[P, Response]:
    """Gives the view a session that has a codename. Raises NoSession where there is none."""

    @wraps(view)
    def with_session(*args: P.args, **kwargs: P.kwargs) -> Response:
        session = _from_request()
        if session.root is None:
            raise NoSession
        return _answer(view, session, *args, **kwargs)

    return with_session


def keep(session: Session) -> None:
    """Make this the session from now on: it goes out with the response."""
    g.session = session


def end() -> None:
    """Let the session go: the response clears the cookie."""
    g.session = None


def root_of(session: Session) -> Secret:
    """The root of a reporter's session. Raises NoSession for a visitor's."""
    if session.root is None:
        raise NoSession
    return session.root


def _from_request() -> Session:
    return box().open(request.cookies.get(COOKIE, ""))


def box() -> SessionBox:
    """The application's session box."""
    return cast(SessionBox, current_app.extensions[EXTENSION])


def _answer(
    view: Callable[Concatenate[Session, P], Response], session: Session, *args: P.args, **kwargs: P.kwargs
) -> Response:
    g.notice = session.notice
    keep(replace(session, notice=""))
    response = view(g.session, *args, **kwargs)
    if g.session is None:
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
    else:
        response.set_cookie(COOKIE, box().close(g.session), httponly=True, samesite="Strict")
    return response
