"""A parcel is read envelope by envelope, however it is cut into pieces, and nothing of a bad one is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.transport import parcel
from common.transport.parcel import NotAParcel

IDS = st.sets(st.binary(min_size=16, max_size=16).map(bytes.hex), max_size=5).map(sorted)


@given(IDS, st.lists(st.integers(1, 40)))
def test_what_was_put_in_comes_out_however_it_is_cut(ids, cuts):
    packed = {one: one.encode() * 3 for one in ids}
    whole = b"".join(parcel.head(one, len(content)) + content for one, content in packed.items())
    chunks, begin = [], 0
    for cut in cuts:
        chunks.append(whole[begin : begin + cut])
        begin += cut
    chunks.append(whole[begin:])
    assert dict(parcel.read(chunks)) == packed


@pytest.mark.parametrize(
    "untrusted",
    [
        b"x",
        parcel.head("0" * 32, 5) + b"four",
        parcel.head("1" * 32, 1),
        parcel.head("1" * 32, parcel.SMALL_BYTES + 1) + bytes(parcel.SMALL_BYTES + 1),
        parcel.head("1" * 32, 1) + b"x" + parcel.head("1" * 32, 1) + b"x",
        parcel.head("2" * 32, 1) + b"x" + parcel.head("1" * 32, 1) + b"x",
    ],
)
def test_what_is_cut_off_too_large_or_out_of_order_is_no_parcel(untrusted):
    with pytest.raises(NotAParcel):
        list(parcel.read([untrusted]))
