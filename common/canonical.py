"""One byte string for one JSON value, so that it can be signed, hashed and padded.

Keys sorted, no white space, UTF-8, no NaN. Reading refuses what writing would never have made: two keys of one
name, numbers that are not whole, half a character, too deep a nesting. What was read can therefore be written.
"""

import base64
import binascii
import json
from datetime import date
from typing import Any, NoReturn

_DEEPEST = 32  # objects and lists within each other


class NotCanonical(ValueError):
    """This is not a document that Candour wrote."""


def dump(value: Any) -> bytes:
    """The canonical bytes of a JSON value."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def load(untrusted: bytes) -> dict[str, Any]:
    """The JSON object in `untrusted` (white space around it allowed). Raises NotCanonical."""
    try:
        value = json.loads(
            untrusted.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
        _check_depth(value, _DEEPEST)
        dump(value)  # half a surrogate pair can be escaped in JSON, but not written
    except (ValueError, RecursionError) as error:
        raise NotCanonical("not a canonical document") from error
    if not isinstance(value, dict):
        raise NotCanonical("not an object")
    return value


def text(document: dict[str, Any], key: str) -> str:
    """The string under `key`. Raises NotCanonical."""
    value = document.get(key)
    if not isinstance(value, str):
        raise NotCanonical(f"{key} is not a text")
    return value


def optional_text(document: dict[str, Any], key: str) -> str | None:
    """The string under `key`, or None where null is written. Raises NotCanonical."""
    return None if key in document and document[key] is None else text(document, key)


def day(document: dict[str, Any], key: str) -> date:
    """The day under `key`, as ISO 8601 writes it: 2027-05-01. Raises NotCanonical."""
    written = text(document, key)
    try:
        value = date.fromisoformat(written)
    except ValueError as error:
        raise NotCanonical(f"{key} is not a day") from error
    if value.isoformat() != written:
        raise NotCanonical(f"{key} is not a day")
    return value


def optional_day(document: dict[str, Any], key: str) -> date | None:
    """The day under `key`, or None where null is written. Raises NotCanonical."""
    return None if optional_text(document, key) is None else day(document, key)


def day_text(value: date | None) -> str | None:
    """A day as it is written; None as null."""
    return None if value is None else value.isoformat()


def truth(document: dict[str, Any], key: str) -> bool:
    """True or false under `key`. Raises NotCanonical."""
    value = document.get(key)
    if not isinstance(value, bool):
        raise NotCanonical(f"{key} is neither true nor false")
    return value


def whole(document: dict[str, Any], key: str) -> int:
    """The whole number, not negative, under `key`. Raises NotCanonical."""
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise NotCanonical(f"{key} is not a whole number")
    return value


def listed(document: dict[str, Any], key: str) -> list[Any]:
    """The list under `key`. Raises NotCanonical."""
    value = document.get(key)
    if not isinstance(value, list):
        raise NotCanonical(f"{key} is not a list")
    return value


def inner(document: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`. Raises NotCanonical."""
    value = document.get(key)
    if not isinstance(value, dict):
        raise NotCanonical(f"{key} is not an object")
    return value


def as_object(value: Any) -> dict[str, Any]:
    """A member of a list that must be an object. Raises NotCanonical."""
    if not isinstance(value, dict):
        raise NotCanonical("not an object")
    return value


def octets(document: dict[str, Any], key: str, length: int | None = None) -> bytes:
    """The bytes written in base64 under `key`, of exactly `length` where given. Raises NotCanonical."""
    return decode(text(document, key), length)


def encode(value: bytes) -> str:
    """Bytes as base64 text."""
    return base64.b64encode(value).decode("ascii")


def decode(untrusted: str, length: int | None = None) -> bytes:
    """Bytes from base64 text, of exactly `length` where given. Raises NotCanonical."""
    try:
        value = base64.b64decode(untrusted.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise NotCanonical("not base64") from error
    if encode(value) != untrusted:
        raise NotCanonical("not the base64 that these bytes have")
    if length is not None and len(value) != length:
        raise NotCanonical("of the wrong length")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key twice")
    return document


def _check_depth(value: Any, left: int) -> None:
    if not left:
        raise ValueError("nested too deep")
    if isinstance(value, dict | list):
        for inside in value.values() if isinstance(value, dict) else value:
            _check_depth(inside, left - 1)


def _no_number(_: str) -> NoReturn:
    raise ValueError("only whole numbers")
