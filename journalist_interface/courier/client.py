"""The collection, as a courier calls it: every request signed anew, failures tried again, responses not trusted.

Nothing of the environment is used: no proxy variables, no netrc. Redirects are not followed.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import requests

from common.transport import forwarding, parcel
from common.transport.bundle import Returned
from common.transport.parcel import NotAParcel
from journalist_interface.courier.errors import NotTheCollection, TurnedAway
from journalist_interface.courier.identity import Identity
from journalist_interface.courier.responses import (
    CHUNK,
    Page,
    Waiting,
    WrongSize,
    begin_of,
    content,
    page,
    position,
    problem_of,
    returned,
)
from journalist_interface.courier.retries import Patience, Tries

_PAGE = 1000
_CUT = "The connection to the collection cannot be made, or was cut."
_REFUSALS = (400, 401, 403, 413)
_NOT_THIS, _NOT_NOW = 422, (429, 507)


class Gone(Exception):
    """The envelope is not listed any more: its sender withdrew it, or the desk said that it has it."""


class NotTaken(Exception):
    """The collection does not take this post or envelope, now or later. The message is its own sentence."""


class NotNow(Exception):
    """The collection takes no more for the time being. The message is its own sentence."""


class _Failed(Exception):
    """This time it did not work; another time it may."""


class CollectionClient:
    """The collection at `base`. For one thread."""

    def __init__(self, base: str, identity: Identity, socks: str | None, patience: Patience) -> None:
        self._base = base
        self._identity = identity
        self._patience = patience
        self._start_mark = ""
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"User-Agent": "candour-courier", "Accept-Encoding": "identity"})
        if socks is not None:
            self._session.proxies = {"http": socks, "https": socks}

    def listing(self) -> Page:
        """All envelopes that are listed, in order of id, with the hour of the list."""
        after, found = "", list[Waiting]()
        while True:
            part = page(self._get(f"/v1/envelopes?after={after}&most={_PAGE}"))
            for envelope in part.envelopes:
                if envelope.id <= after:
                    raise NotTheCollection
                after = envelope.id
                found.append(envelope)
            if len(part.envelopes) < _PAGE:
                return Page(part.settled, tuple(found))

    def returned(self) -> tuple[Returned, ...]:
        """The posts of the last 30 days that were not taken."""
        return returned(self._get("/v1/returned"))

    def download(self, envelope: Waiting, part: Path, at: Callable[[int], None]) -> None:
        """Complete the file `part`, from wherever it ends, to the envelope's size.

        `at` is told the position. Raises Gone, WrongSize.
        """
        tries = Tries(self._patience, at)
        tries.reached(part.stat().st_size if part.exists() else 0)
        while True:
            have = part.stat().st_size if part.exists() else 0
            if have == envelope.size:
                return
            try:
                self._download_rest(envelope, part, have, tries)
            except _Failed as failure:
                tries.failed(str(failure))

    def download_small(self, wanted: Sequence[Waiting], keep: Callable[[Waiting, bytes], None]) -> None:
        """Bring envelopes of at most SMALL_BYTES, many to a request, given in order of id.

        `keep` gets each with its bytes; those that were withdrawn meanwhile it does not get.
        """
        tries = Tries(self._patience)
        left = deque(wanted)
        while left:
            before = len(left)
            try:
                nothing_more = self._one_parcel(left, keep)
            except _Failed as failure:
                tries.reached(len(wanted) - len(left))
                tries.failed(str(failure))
            else:
                if nothing_more:
                    return
                if len(left) == before:
                    raise NotTheCollection

    def post(self, document: bytes) -> None:
        """Deliver a signed post; twice is as good as once. Raises NotTaken, NotNow."""
        tries = Tries(self._patience)
        while True:
            try:
                with self._ask("POST", "/v1/posts", document) as response:
                    _check_taken(response)
                    content(response)  # to its end, so that the connection serves again
                    if response.status_code != 204:
                        raise NotTheCollection
                    return
            except _Failed as failure:
                tries.failed(str(failure))

    def post_forward(self, slip: bytes, envelope_id: str, file: BinaryIO, at: Callable[[int], None]) -> None:
        """Post an envelope that the desk passes on, from wherever it stopped; twice is as good as once.

        `at` is told the position. Raises NotTaken, NotNow.
        """
        size = os.fstat(file.fileno()).st_size
        tries = Tries(self._patience, at)
        have = -1  # it is not known how much of it is there
        while have < size:
            try:
                if have < 0:
                    have = self._post_piece("/v1/forwards", slip, size)
                else:
                    file.seek(have)
                    piece = file.read(forwarding.CHUNK)
                    have = self._post_piece(f"/v1/forwards/{envelope_id}?at={have}", piece, size)
                tries.reached(max(have, 0))
            except _Failed as failure:
                tries.failed(str(failure))
                have = -1

    def _post_piece(self, path: str, body: bytes, size: int) -> int:
        """How much of an envelope is there now. Raises NotTaken, NotNow, _Failed."""
        with self._ask("POST", path, body) as response:
            _check_taken(response)
            if response.status_code == 404:
                raise _Failed(_CUT)  # it has started anew: it is asked again
            if response.status_code != 200:
                raise NotTheCollection
            return position(content(response), size)

    def _one_parcel(self, left: deque[Waiting], keep: Callable[[Waiting, bytes], None]) -> bool:
        """Take what one request brings off the front of `left`. True when there is no more to come."""
        with self._ask("GET", f"/v1/envelopes/small?from={left[0].id}") as response:
            if response.status_code != 200:
                raise NotTheCollection
            nothing = True
            try:
                for envelope_id, content in parcel.read(response.iter_content(CHUNK)):
                    nothing = False
                    while left and left[0].id < envelope_id:
                        left.popleft()  # withdrawn since it was listed
                    if left and left[0].id == envelope_id:
                        keep(left.popleft(), content)
            except NotAParcel as error:
                raise NotTheCollection from error
            return nothing

    def _get(self, path: str) -> bytes:
        """A whole response of moderate size."""
        tries = Tries(self._patience)
        while True:
            try:
                with self._ask("GET", path) as response:
                    if response.status_code != 200:
                        raise NotTheCollection
                    return content(response)
            except _Failed as failure:
                tries.failed(str(failure))

    def _download_rest(self, envelope: Waiting, part: Path, have: int, tries: Tries) -> None:
        if have > envelope.size:
            raise WrongSize
        asked = {"Range": f"bytes={have}-"} if have else {}
        with self._ask("GET", f"/v1/envelopes/{envelope.id}", headers=asked) as response:
            if response.status_code == 404:
                raise Gone
            if response.status_code == 416:
                raise WrongSize
            if response.status_code not in (200, 206):
                raise NotTheCollection
            begin = begin_of(response, envelope.size) if response.status_code == 206 else 0
            if begin not in (0, have):
                raise NotTheCollection
            _append(response, part, begin, envelope.size, tries)

    @contextmanager
    def _ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Iterator[requests.Response]:
        """One signed request and its response; signed once more if it asks for that. Raises _Failed, TurnedAway."""
        try:
            for again in (False, True):
                with self._send(method, path, body, headers) as response:
                    status = response.status_code
                    if status in _NOT_NOW or (status < 500 and status not in _REFUSALS):
                        yield response
                        return
                    problem = problem_of(response)
                if problem.start_mark and not again:
                    self._start_mark = problem.start_mark
                elif status >= 500:
                    raise _Failed(f"The collection says: {problem.sentence}")
                else:
                    raise TurnedAway(problem.sentence)
        except requests.RequestException as error:
            raise _Failed(_in_words(error)) from error

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str] | None) -> requests.Response:
        request = self._session.prepare_request(
            requests.Request(method, self._base + path, data=body or None, headers=headers or {})
        )
        self._identity.sign(request, self._start_mark)
        return self._session.send(
            request,
            stream=True,
            timeout=self._patience.timeouts,
            allow_redirects=False,
            proxies=dict(self._session.proxies),
        )


def _check_taken(response: requests.Response) -> None:
    """Raises NotTaken, NotNow."""
    if response.status_code == _NOT_THIS:
        raise NotTaken(problem_of(response).sentence)
    if response.status_code in _NOT_NOW:
        raise NotNow(problem_of(response).sentence)


def _append(response: requests.Response, part: Path, begin: int, size: int, tries: Tries) -> None:
    with part.open("r+b" if part.exists() else "xb") as stream:
        stream.truncate(begin)
        stream.seek(begin)
        for chunk in response.iter_content(CHUNK):
            if stream.tell() + len(chunk) > size:
                raise WrongSize
            stream.write(chunk)
            tries.reached(stream.tell())
        if stream.tell() < size:
            if response.headers.get("Content-Length") == str(stream.tell() - begin):
                raise WrongSize  # a whole response, and too little
            raise _Failed(_CUT)


def _in_words(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.ProxyError) or "SOCKS" in str(error):
        return "The SOCKS proxy does not lead to the collection. Is Tor running, and the collection up?"
    if isinstance(error, requests.Timeout):
        return "The collection does not answer in time."
    return _CUT
