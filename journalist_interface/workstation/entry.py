"""Who may come in: the holder of a link that works once, and from then on the one browser that used it.

The link and the session are 32 random bytes each, held in memory only and compared in constant time. What is
shared with a forked worker is an anonymous page of memory: a link that was used stays used when the worker is
replaced, and the session goes on. A desk that is started anew has a new link and no session.

Requests are answered only under the desk's own name (a foreign page whose name was pointed at this machine is
refused), and what changes something must come from a page of the desk itself.
"""

import hashlib
import hmac
import mmap
import secrets
import threading

from werkzeug.datastructures import Headers

from common.secret import Secret

TOKEN_BYTES = 32
COOKIE = "candour_desk"

_USED = b"\1"


class Entry:
    """The one-time link and the session of a running desk at `port`."""

    def __init__(self, port: int) -> None:
        self.cookie = f"{COOKIE}_{port}"  # a browser keeps cookies by host: desks side by side share it
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._link = Secret(secrets.token_hex(TOKEN_BYTES).encode())
        self._csrf_key = Secret(secrets.token_bytes(TOKEN_BYTES))
        # One byte that says whether the link was used, then the SHA-256 of the session's token.
        self._shared = mmap.mmap(-1, 1 + hashlib.sha256().digest_size)
        self._lock = threading.Lock()

    @property
    def link(self) -> str:
        """The path that lets in, once. For the person who started the desk, and nobody else."""
        return f"/enter/{self._link.reveal().decode()}"

    def enter(self, untrusted_token: str) -> Secret | None:
        """A new session's token for the right link, once; None otherwise."""
        right = hmac.compare_digest(untrusted_token.encode(), self._link.reveal())
        with self._lock:
            if not right or self._shared[:1] == _USED:
                return None
            session = Secret(secrets.token_hex(TOKEN_BYTES).encode())
            self._shared[:] = _USED + hashlib.sha256(session.reveal()).digest()
            return session

    def is_inside(self, untrusted_cookie: str | None) -> bool:
        """True for the cookie of the session."""
        if not untrusted_cookie or self._shared[:1] != _USED:
            return False
        digest = hashlib.sha256(untrusted_cookie.encode()).digest()
        return hmac.compare_digest(digest, self._shared[1:])

    def csrf(self) -> str:
        """What every form of the session carries."""
        return hmac.digest(self._csrf_key.reveal(), self._shared[1:], hashlib.sha256).hex()

    def is_own_form(self, untrusted_csrf: str | None) -> bool:
        """True when a form carries what this session's forms do."""
        return hmac.compare_digest((untrusted_csrf or "").encode(), self.csrf().encode())

    def is_own_host(self, untrusted_host: str | None) -> bool:
        """True for the names that the desk goes by."""
        return untrusted_host is not None and untrusted_host.lower() in self._hosts

    def is_own_origin(self, headers: Headers, *, changes: bool) -> bool:
        """True when the browser says nothing else: a request comes from the desk's own page, or was typed.

        Source: Fetch Metadata Request Headers (W3C), section 2.1; RFC 6454. Our pages send no referrer, and so
        browsers may give the origin as `null`; the form's own token stands for it then.
        """
        site = headers.get("Sec-Fetch-Site")
        if site is not None and site not in (("same-origin",) if changes else ("same-origin", "none")):
            return False
        origin = headers.get("Origin")
        if not changes or origin in (None, "null"):
            return True
        return origin == f"http://{headers.get('Host', '')}"
