"""The certificates that messages are sealed to: of each, what counts on the day, as bytes in memory.

A certificate has an epoch for each of many months, and gpg checks the signatures of them all each time it seals. So it
is given one without the epochs that are over or have not begun. Whether what is left is sound, has expired or was
revoked is for gpg to say, at each sealing.

Promises: what gpg is given are packets of the certificate in the signed registry, each as it stands there, in their
order. They are taken out anew for each message, and lie in no file: nobody can exchange them on the way, and none is
made because somebody reports. RFC 9580, sections 4.2 (packet headers), 5.2.3 (signatures), 5.5.2 (keys), 6.2 (armour)
and 10.1.1 (what a certificate is).
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from common.gpg.sealing import RecipientRefused
from common.registry.units import Unit

_DAY = timedelta(days=1)
_BEGIN, _END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
_SIGNATURE, _PRIMARY, _SUBKEY = 2, 6, 14
_BINDS_A_SUBKEY = 0x18
# Subpackets: when it was made, the key's life in seconds, what the key is for.
_MADE, _ENDS_AFTER, _MAY = 2, 9, 27
_ENCRYPTS = 0x04 | 0x08
# Algorithms of keys that do not say what they are for: RSA, Elgamal, ECDH.
_CAN_ENCRYPT = frozenset({1, 2, 16, 18})


@dataclass(frozen=True)
class _Packet:
    """`whole` has its header, `content` has not."""

    tag: int
    whole: bytes
    content: bytes


@dataclass(frozen=True)
class _Subkey:
    """A subkey with its signatures. `ends`: the day on which it expires, or None."""

    whole: bytes
    encrypts: bool
    begins: date
    ends: date | None

    def counts_on(self, day: date) -> bool:
        """Whether gpg could take it on the day, or on the day after: midnight may come before it is used."""
        return self.encrypts and self.begins <= day + _DAY and (self.ends is None or day <= self.ends)


def certificate_of_the_day(unit: Unit, day: date) -> bytes:
    """What a message to this unit is sealed to on a day. Raises RecipientRefused."""
    try:
        primary, subkeys = _parts(_without_armour(unit.certificate))
    except (IndexError, ValueError, OverflowError) as error:
        raise RecipientRefused from error
    if not subkeys:  # nothing to leave out
        return primary
    counting = [subkey for subkey in subkeys if subkey.counts_on(day)]
    if not counting:
        raise RecipientRefused
    return primary + b"".join(subkey.whole for subkey in counting)


def identity_certificate(unit: Unit) -> bytes:
    """What contact details for this unit are sealed to: it has no epochs."""
    return unit.identity_certificate.encode("ascii")


def _without_armour(certificate: str) -> bytes:
    """Its packets. Raises ValueError where it is cut short or is something else."""
    lines = [line.strip() for line in certificate.strip().splitlines()]
    if len(lines) < 2 or (lines[0], lines[-1]) != (_BEGIN, _END):
        raise ValueError("no certificate, or not the whole of one")
    body = lines[lines.index("") + 1 : -1]
    if body and body[-1].startswith("="):  # the checksum
        del body[-1]
    try:
        return base64.b64decode("".join(body), validate=True)
    except binascii.Error as error:
        raise ValueError("damaged armour") from error


def _parts(certificate: bytes) -> tuple[bytes, list[_Subkey]]:
    """The primary key with all that is about it, and the subkeys. Raises ValueError, IndexError."""
    groups: list[list[_Packet]] = []
    for packet in _packets(certificate):
        if packet.tag in (_PRIMARY, _SUBKEY):
            groups.append([])
        groups[-1].append(packet)
    first, *others = groups
    if first[0].tag != _PRIMARY or any(group[0].tag != _SUBKEY for group in others):
        raise ValueError("not one certificate")
    return _joined(first), [_subkey(group) for group in others]


def _joined(packets: list[_Packet]) -> bytes:
    return b"".join(packet.whole for packet in packets)


def _packets(certificate: bytes) -> Iterator[_Packet]:
    at = 0
    while at < len(certificate):
        tag, begin, end = _header(certificate, at)
        if end > len(certificate):
            raise ValueError("cut short")
        yield _Packet(tag, certificate[at:end], certificate[begin:end])
        at = end


def _header(packets: bytes, at: int) -> tuple[int, int, int]:
    """The packet that begins at `at`: its tag, and where its content begins and ends."""
    first = packets[at]
    if first & 0xC0 == 0x80 and first & 3 != 3:  # the old form, with a length
        begin = at + 1 + (1, 2, 4)[first & 3]
        return first >> 2 & 0x0F, begin, begin + int.from_bytes(packets[at + 1 : begin])
    if first & 0xC0 == 0xC0:
        begin, length = _length(packets, at + 1)
        return first & 0x3F, begin, begin + length
    raise ValueError("no packet, or one without a length")


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A length of the new form at `at`: where what it counts begins, and how long that is."""
    first = data[at]
    if first < 192:
        return at + 1, first
    if first < 224:
        return at + 2, (first - 192 << 8) + data[at + 1] + 192
    if first == 255:
        return at + 5, int.from_bytes(data[at + 1 : at + 5])
    raise ValueError("a length in parts")


def _subkey(group: list[_Packet]) -> _Subkey:
    key, *about = group
    made = int.from_bytes(key.content[1:5])
    says = max((found for packet in about if (found := _binding(packet))), key=_time_of, default={})
    life = int.from_bytes(says.get(_ENDS_AFTER, b""))
    return _Subkey(
        whole=_joined(group),
        encrypts=bool(says[_MAY][0] & _ENCRYPTS) if _MAY in says else key.content[5] in _CAN_ENCRYPT,
        begins=_day(made),
        ends=_day(made + life) if life else None,
    )


def _binding(packet: _Packet) -> dict[int, bytes]:
    """What a signature that binds a subkey says, by kind of subpacket; nothing where it is another."""
    if packet.tag != _SIGNATURE or packet.content[0] != 4 or packet.content[1] != _BINDS_A_SUBKEY:
        return {}
    at, end = 6, 6 + int.from_bytes(packet.content[4:6])
    says = {}
    while at < end:
        begin, length = _length(packet.content, at)
        at = begin + length
        says[packet.content[begin] & 0x7F] = packet.content[begin + 1 : at]
    return says


def _time_of(binding: dict[int, bytes]) -> int:
    return int.from_bytes(binding.get(_MADE, b""))


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
