"""Onion addresses and the lines of a client's key: what is mistyped is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.onion import (
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


@given(st.integers(0, 55), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_wrong_letter_is_noticed(place, letter):
    typed = ADDRESS[:place] + letter + ADDRESS[place + 1 :]
    if typed != ADDRESS:
        with pytest.raises(NotAnOnion):
            onion_address(typed)


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
