"""Packets in parts: what a program writes is read, and what would only keep somebody busy is refused."""

import pytest

from common.gpg.opening.packets import Body, NoPackets, PacketReader, Tag

LITERAL = bytes([0xC0 | Tag.LITERAL])


def in_parts(exponent, count):
    """A literal packet of so many parts of 2 to the power of `exponent` bytes each, and an empty last one."""
    return LITERAL + (bytes([224 | exponent]) + bytes(1 << exponent)) * count + b"\0"


@pytest.mark.parametrize("exponent", [9, 13, 16])
def test_parts_of_512_bytes_and_more_are_read(exponent):
    found = list(PacketReader().feed(in_parts(exponent, 3)))
    assert sum(len(one.content) for one in found if isinstance(one, Body)) == 3 << exponent


@pytest.mark.parametrize("exponent", range(9))
def test_smaller_parts_are_refused_wherever_they_stand(exponent):
    """A message in parts of one byte kept the desk busy for seconds for each of its MiB."""
    small = bytes([224 | exponent]) + bytes(1 << exponent)
    large = bytes([224 | 9]) + bytes(512)
    for packets in (LITERAL + small, LITERAL + large + small):
        with pytest.raises(NoPackets):
            list(PacketReader().feed(packets + b"\0"))
