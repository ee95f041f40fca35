"""What the collection responds, read as from a stranger: bounded, checked, and safe to show."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import requests

from common import canonical
from common.canonical import NotCanonical
from common.envelope_id import is_envelope_id
from common.transport import bundle
from common.transport.bundle import Returned
from journalist_interface.courier.errors import NotTheCollection

CHUNK = 64 * 1024
_MOST_RESPONSE_BYTES = 1024 * 1024
_LONGEST_SENTENCE = 300
_LONGEST_MARK = 32
_HOUR = "%Y-%m-%dT%H"


@dataclass(frozen=True)
class Waiting:
    """An envelope that waits at the collection."""

    id: str
    day: date
    size: int


@dataclass(frozen=True)
class Page:
    """A page of the list, and the hour that it is of."""

    settled: datetime
    envelopes: tuple[Waiting, ...]


@dataclass(frozen=True)
class Problem:
    """What a refusal says; `start_mark`: what a collection that has just started asks a nonce to begin with."""

    sentence: str
    start_mark: str


class WrongSize(Exception):
    """The collection does not hold what its own list says."""


def content(response: requests.Response) -> bytes:
    """A response's body, to its end. Raises NotTheCollection when it is too long."""
    read = bytearray()
    for chunk in response.iter_content(CHUNK):
        read += chunk
        if len(read) > _MOST_RESPONSE_BYTES:
            raise NotTheCollection
    return bytes(read)


def page(untrusted: bytes) -> Page:
    """A page of the list. Raises NotTheCollection."""
    try:
        document = canonical.load(untrusted)
        settled = datetime.strptime(canonical.text(document, "settled"), _HOUR).replace(tzinfo=UTC)
        entries = canonical.listed(document, "envelopes")
        found = [
            Waiting(
                canonical.text(entry, "id"),
                date.fromisoformat(canonical.text(entry, "day")),
                canonical.whole(entry, "size"),
            )
            for entry in entries
        ]
    except (ValueError, AttributeError) as error:
        raise NotTheCollection from error
    if not all(is_envelope_id(envelope.id) for envelope in found):
        raise NotTheCollection
    return Page(settled, tuple(found))


def returned(untrusted: bytes) -> tuple[Returned, ...]:
    """The posts that were not taken. Raises NotTheCollection."""
    try:
        return bundle.read_returned(canonical.listed(canonical.load(untrusted), "returned"))
    except NotCanonical as error:
        raise NotTheCollection from error


def position(untrusted: bytes, size: int) -> int:
    """How much of a posted envelope of `size` bytes is there. Raises NotTheCollection."""
    try:
        at = canonical.whole(canonical.load(untrusted), "at")
    except NotCanonical as error:
        raise NotTheCollection from error
    if not 0 <= at <= size:
        raise NotTheCollection
    return at


def begin_of(response: requests.Response, size: int) -> int:
    """Where a partial response begins, by its Content-Range. Raises WrongSize when it does not go to the end."""
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    begin, _, rest = rest.partition("-")
    if unit != "bytes" or not begin.isdigit() or rest != f"{size - 1}/{size}":
        raise WrongSize
    return int(begin)


def problem_of(response: requests.Response) -> Problem:
    """What a refusal says, or the little that can be said of it."""
    try:
        told = canonical.load(content(response))
    except (NotCanonical, NotTheCollection):
        told = {}
    sentence, mark = told.get("error"), told.get("nonce")
    if not isinstance(sentence, str):
        sentence = f"it answered with the status {response.status_code}."
    if not (isinstance(mark, str) and mark.isalnum() and len(mark) <= _LONGEST_MARK):
        mark = ""
    # What is shown on a terminal holds no control characters, and is not long.
    return Problem("".join(char for char in sentence if char.isprintable())[:_LONGEST_SENTENCE], mark)
