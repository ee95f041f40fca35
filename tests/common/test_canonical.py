"""Canonical JSON: one form for one value, and nothing read that could not have been written."""

import base64
import contextlib
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import canonical
from common.canonical import NotCanonical

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inside, max_size=4)
    ),
    max_leaves=20,
)
documents = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values, max_size=5)


@given(documents)
def test_what_is_written_is_read_back_and_written_the_same(document):
    written = canonical.dump(document)
    assert canonical.load(written) == document
    assert canonical.dump(canonical.load(written)) == written


@given(documents)
def test_the_order_of_keys_makes_no_difference(document):
    assert canonical.dump(dict(reversed(document.items()))) == canonical.dump(document)


def test_the_form_is_the_one_agreed():
    assert canonical.dump({"b": [1, None, True], "a": "é\n"}) == '{"a":"é\\n","b":[1,null,true]}'.encode()


def test_white_space_around_is_allowed():
    assert canonical.load(b'  {"a": 1} \n   ') == {"a": 1}


@pytest.mark.parametrize(
    "untrusted",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":-0.0}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1}{"b":2}',
        b'{"a":1},',
        b"{'a':1}",
        b'{"a":"\xff"}',
        b'{"a":"\n"}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        '{"a":1}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_what_writing_would_never_have_made_is_refused(untrusted):
    with pytest.raises(NotCanonical):
        canonical.load(untrusted)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [33, 400, *range(900, 1000, 3), 100_000, 5_000_000])
def test_deep_nesting_is_refused(opening, depth):
    closing = b"]" if opening == b"[" else b"}"
    with pytest.raises(NotCanonical):
        canonical.load(b'{"a":' + opening * depth + b"1" + closing * depth + b"}")


def test_nesting_that_is_read_can_be_written_from_deeper_in_the_stack():
    def deeper(left):
        return canonical.dump(document) if left == 0 else deeper(left - 1)

    document = canonical.load(b'{"a":' + b"[" * 30 + b"]" * 30 + b"}")
    assert deeper(sys.getrecursionlimit() - 200)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_that_is_none_is_written(value):
    with pytest.raises(ValueError, match="JSON"):
        canonical.dump({"a": value})


@given(st.binary(max_size=300))
def test_random_bytes_are_at_most_refused(untrusted):
    with contextlib.suppress(NotCanonical):
        canonical.load(untrusted)


@given(
    st.dictionaries(
        st.sampled_from("abc"), st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    )
)
def test_the_readers_give_the_type_they_name_or_refuse(document):
    readers = {
        canonical.text: str,
        canonical.whole: int,
        canonical.listed: list,
        canonical.inner: dict,
        canonical.octets: bytes,
    }
    for reader, kind in readers.items():
        for key in "abcd":
            try:
                value = reader(document, key)
            except NotCanonical:
                continue
            assert type(value) is kind
            assert value is document[key] or kind is bytes
            assert not isinstance(value, int) or value >= 0


@pytest.mark.parametrize(
    "untrusted", ["=", "a", "YQ", "YQ==\n", " YQ==", "YQ==YQ==", "YR==", "Y*Q==", "é", "\ud800", "YQ-_"]
)
def test_what_is_not_base64_is_refused(untrusted):
    with pytest.raises(NotCanonical):
        canonical.decode(untrusted)


@given(st.binary(max_size=100))
def test_bytes_round_trip_and_their_length_is_held(value):
    encoded = canonical.encode(value)
    assert base64.b64decode(encoded) == value
    assert canonical.decode(encoded, len(value)) == value
    with pytest.raises(NotCanonical):
        canonical.decode(encoded, len(value) + 1)
    assert json.loads(canonical.dump({"a": encoded}))["a"] == encoded
