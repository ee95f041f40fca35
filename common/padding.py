"""Sizes that tell nothing: the one place where the size of anything that can be seen is decided.

Reports have Padmé sizes: a length keeps only as many significant bits as its exponent has bits, so that it leaks
O(log log n) bits and costs at most 12 % (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
Communication with PURBs", PETS 2019, section 4.2). None is smaller than 16 KiB. Answers have one size.
"""

SMALLEST_REPORT = 16 * 1024

REPLY_PLAINTEXT_BYTES = 8 * 1024
HPKE_ENCAPSULATION_BYTES = 1088 + 32  # ML-KEM-768 ciphertext, X25519 public key
HPKE_TAG_BYTES = 16
REPLY_CIPHERTEXT_BYTES = HPKE_ENCAPSULATION_BYTES + REPLY_PLAINTEXT_BYTES + HPKE_TAG_BYTES


def padded_size(size: int) -> int:
    """The smallest allowed size that holds `size` bytes: a fixed point of itself, rising with `size`."""
    if size < 0:
        raise ValueError("a size is not negative")
    size = max(size, SMALLEST_REPORT)
    exponent = size.bit_length() - 1
    free_bits = exponent - exponent.bit_length()
    mask = (1 << free_bits) - 1
    return (size + mask) & ~mask
