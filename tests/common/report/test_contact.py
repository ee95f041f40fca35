"""Contact details inside an envelope: a sealed message of one size, which costs nothing where there is none."""

import zipfile
from dataclasses import replace
from io import BytesIO

import pytest

from common.canonical import NotCanonical
from common.report import archive, contact
from common.report import report as reports
from common.report.archive import FilePart, NotAnEnvelope, Tail
from common.report.contact import LONGEST, Contact, SealedContact
from common.report.padding import CONTACT_BYTES, padded_size

CONVERSATION = "0f" * 16
SEALED = SealedContact("test-unit", "A" * 40, b"\x84" + bytes(4244))


@pytest.mark.parametrize("widest", ["x", "🕊", '"', "\\", "\n", "\t", "\ufffd"])
def test_they_have_one_size_and_the_longest_fit_whatever_they_are(widest):
    for text in ("", widest, widest * LONGEST):
        plain = contact.compose(Contact(text, CONVERSATION))
        assert len(plain) == CONTACT_BYTES
        assert contact.read(plain) == Contact(text, CONVERSATION)
    with pytest.raises(ValueError):
        contact.compose(Contact(widest * (LONGEST + 1), CONVERSATION))


def test_what_was_sealed_is_read_with_care():
    for junk in (b"", b"[]", b'{"contact": 1, "conversation": "x"}', b"\xff" * CONTACT_BYTES):
        with pytest.raises(NotCanonical):
            contact.read(junk)


@pytest.fixture
def report(a_report):
    return a_report()


def written(report, files=()):
    return b"".join(archive.write([FilePart(name, iter([data])) for name, data in files], lambda: report))


def read(packed):
    tail = Tail()
    tail.feed(packed)
    return archive.read(tail)


def test_they_travel_in_an_entry_of_their_own_that_the_manifest_names(report):
    report = replace(report, contact=SEALED)
    packed = written(report, [("a.jpg", b"x" * 100_000)])
    assert read(packed).report == report
    with zipfile.ZipFile(BytesIO(packed)) as opened:
        assert opened.read(archive.CONTACT) == SEALED.sealed
        assert b"sealed to the identity holders of test-unit" in opened.read(archive.TEXT)
        assert b"A" * 40 in opened.read(archive.MANIFEST)
        assert b"sealed" not in opened.read(archive.JSON)


def test_they_show_in_the_size_no_more_than_padding_lets_and_cost_nothing_where_there_are_none(report):
    with_them = replace(report, contact=SEALED)
    assert len(written(report)) == len(written(with_them)) == padded_size(0)
    for size in (0, 30_000, 1_000_000):
        for one in (report, with_them):
            assert len(written(one, [("a", b"x" * size)])) == padded_size(
                len(written(one, [("a", b"x" * size)]))
            )
    with zipfile.ZipFile(BytesIO(written(report))) as opened:
        assert archive.CONTACT not in opened.namelist()
        assert b"contact" not in opened.read(archive.MANIFEST) + opened.read(archive.TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SEALED.sealed[:1], b"\x85"),  # other bytes than the manifest says
        (b'"unit":"test-unit"},', b'"unit":"TEST-unit"},'),
        (b"A" * 40, b"z" * 40),
    ],
)
def test_details_that_are_not_those_of_the_manifest_are_refused(report, old, new):
    packed = written(replace(report, contact=SEALED))
    at = packed.rindex(old, 0, packed.index(b"PK\x01\x02")) if len(old) > 1 else packed.index(SEALED.sealed)
    changed = packed[:at] + new + packed[at + len(old) :]
    assert changed != packed
    with pytest.raises(NotAnEnvelope):
        read(changed)


def test_a_manifest_that_names_other_details_than_there_are_is_refused(report, monkeypatch):
    honest = reports.to_manifest
    monkeypatch.setattr(
        reports,
        "to_manifest",
        lambda files, there: honest(files, replace(there, sealed=b"x" * len(there.sealed))),
    )
    with pytest.raises(NotAnEnvelope):
        read(written(replace(report, contact=SEALED)))


def test_details_that_are_too_large_are_refused_unread(report):
    huge = replace(report, contact=replace(SEALED, sealed=bytes(contact.MOST_SEALED_BYTES + 1)))
    with pytest.raises(NotAnEnvelope):
        read(written(huge))
