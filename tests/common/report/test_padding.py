"""Sizes that tell nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.report.padding import (
    PAGE_BYTES,
    REDIRECT_BYTES,
    REPLY_CIPHERTEXT_BYTES,
    SMALLEST_REPORT,
    padded_size,
    page_size,
)

sizes = st.integers(0, 2**45)


@given(sizes, sizes)
def test_a_larger_content_never_has_a_smaller_size(one, other):
    low, high = sorted((one, other))
    assert padded_size(low) <= padded_size(high)


@given(sizes)
@example(0)
@example(SMALLEST_REPORT)
@example(2**45)
def test_a_size_holds_its_content_stays_what_it_is_and_costs_little(size):
    padded = padded_size(size)
    assert padded >= max(size, SMALLEST_REPORT)
    assert padded <= max(size * 1.12, SMALLEST_REPORT)
    assert padded_size(padded) == padded


@given(st.integers(SMALLEST_REPORT, 2**45))
def test_a_size_keeps_only_as_many_bits_as_its_exponent_has(size):
    padded = padded_size(size)
    exponent = padded.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    assert padded % (1 << low_bits) == 0
    assert padded - size < 1 << low_bits


def test_sizes_are_few():
    """From 16 KiB to 1 MiB: 16 a doubling up to 64 KiB, then 32."""
    assert len({padded_size(size) for size in range(0, 2**20, 7)}) == 2 * 16 + 4 * 32 + 1


def test_known_sizes():
    """Padmé by hand: 2**20 + 1 has exponent 20, 5 bits of it, so 15 low bits are rounded up."""
    assert padded_size(1) == 16384
    assert padded_size(16385) == 16384 + 1024
    assert padded_size(2**20 + 1) == 2**20 + 2**15
    assert padded_size(9 * 2**30 + 1) == 9 * 2**30 + 2**27
    assert REPLY_CIPHERTEXT_BYTES == 9328


def test_no_size_is_negative():
    with pytest.raises(ValueError, match="negative"):
        padded_size(-1)


@given(st.integers(0, 2**30), st.sampled_from([PAGE_BYTES, REDIRECT_BYTES]))
@example(PAGE_BYTES, PAGE_BYTES)
@example(PAGE_BYTES + 1, PAGE_BYTES)
def test_a_page_size_is_one_of_few_and_the_smallest_that_holds_it(size, smallest):
    allowed = [smallest * 4**step for step in range(14)]
    assert page_size(size, smallest) == next(one for one in allowed if one >= size)
