"""Onion addresses and the lines of a client's key: what is mistyped is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.transport.onion import (
    NotAClientKey,
    NotAnOnion,
    onion_address,
    private_line,
    public_line,
    read_private_line,
    read_public_line,
)

# The Tor Project's own site.
ADDRESS = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"


@pytest.mark.parametrize("typed", [ADDRESS, ADDRESS.removesuffix(".onion"), f" {ADDRESS.upper()}\n"])
def test_an_address_is_read_however_it_was_copied(typed):
    assert onion_address(typed) == ADDRESS


@pytest.mark.parametrize(
    "typed",
    ["", ".onion", ADDRESS[1:], ADDRESS + "x", f"http://{ADDRESS}", "facebookcorewwwi.onion", "é" * 56],
)
def test_what_is_no_address_is_refused(typed):
    with pytest.raises(NotAnOnion, match="Copy all of it"):
        onion_address(typed)


def is_address(typed):
    try:
        return onion_address(typed) == typed
    except NotAnOnion:
        return False


def test_one_wrong_letter_is_noticed_but_for_one_in_65536():
    """The checksum has two bytes. Of the 1,736 ways to mistype this address by a letter, one comes out right."""
    mistyped = {
        ADDRESS[:place] + letter + ADDRESS[place + 1 :]
        for place in range(56)
        for letter in "abcdefghijklmnopqrstuvwxyz234567"
    } - {ADDRESS}
    assert len(mistyped) == 1736
    assert [typed for typed in mistyped if is_address(typed)] == [f"{ADDRESS[0]}3{ADDRESS[2:]}"]


@given(st.binary(min_size=32, max_size=32))
def test_lines_are_read_as_they_were_written(key):
    line = public_line(key)
    assert len(line) == len("descriptor:x25519:") + 52
    assert read_public_line(line) == key
    assert read_private_line(private_line(ADDRESS, key) + "\n") == (ADDRESS, key)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "descriptor:x25519:",
        "descriptor:x25519:" + "A" * 51,
        "descriptor:x25519:" + "A" * 53,
        "descriptor:x25519:" + "A" * 51 + "B",  # bits beyond the last byte
        "descriptor:x25519:" + "a" * 52,
        "descriptor:x25519:" + "A" * 52 + "\n",
        "descriptor:ed25519:" + "A" * 52,
        "x25519:" + "A" * 52,
    ],
)
def test_what_is_no_line_is_refused(line):
    with pytest.raises(NotAClientKey, match="Copy all of it"):
        read_public_line(line)
