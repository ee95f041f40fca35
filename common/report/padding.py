"""Sizes that tell nothing: the one place where the size of anything that can be seen is decided.

Reports have Padmé sizes: a length keeps only as many significant bits as its exponent has bits, so that it leaks
O(log log n) bits and costs at most 12 % (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
Communication with PURBs", PETS 2019, section 4.2). None is smaller than 16 KiB. Answers have one size.

The reporter's pages nearly all have one size, which also lets a first visit (that page and the style sheet) cost at
most 40,000 bytes. What does not fit takes four times as much, so that a few more answers are one step, not a scale.
Redirects have one size of their own: what a redirect is, its place between two pages tells anyway.
"""

SMALLEST_REPORT = 16 * 1024

REPLY_PLAINTEXT_BYTES = 8 * 1024
CONTACT_BYTES = 4 * 1024  # of contact details before they are sealed, whatever they say

HPKE_ENCAPSULATION_BYTES = 1088 + 32  # ML-KEM-768 ciphertext, X25519 public key
HPKE_TAG_BYTES = 16
REPLY_CIPHERTEXT_BYTES = HPKE_ENCAPSULATION_BYTES + REPLY_PLAINTEXT_BYTES + HPKE_TAG_BYTES

PAGE_BYTES = 24 * 1024
PAGE_STEP = 4
REDIRECT_BYTES = 4 * 1024


def padded_size(size: int) -> int:
    """The smallest allowed size that holds `size` bytes: a fixed point of itself, rising with `size`."""
    if size < 0:
        raise ValueError("a size is not negative")
    size = max(size, SMALLEST_REPORT)
    exponent = size.bit_length() - 1
    free_bits = exponent - exponent.bit_length()
    mask = (1 << free_bits) - 1
    return (size + mask) & ~mask


def page_size(size: int, smallest: int = PAGE_BYTES) -> int:
    """The smallest size of a response, head and body, that holds `size` bytes: 24 KiB, 96 KiB, 384 KiB and so on."""
    allowed = smallest
    while allowed < size:
        allowed *= PAGE_STEP
    return allowed
