"""What a report is, written for the desk and for a person."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import canonical
from common.canonical import NotCanonical
from common.report import report as reports
from common.report.report import SEVERAL, Attachment, clean_text

PHOTO = Attachment("files/0001-photo.jpg", 12, "0" * 64, "image/jpeg")


@given(text=st.text(st.characters(exclude_categories=["Cs"])), first=st.booleans())
def test_a_report_is_read_back(a_report, text, first):
    report = a_report(text, first=first)
    assert reports.from_json(reports.to_json(report)) == report


@given(untrusted=st.text())
def test_any_text_can_be_cleaned_written_and_read_back(a_report, untrusted):
    text = clean_text(untrusted)
    assert clean_text(text) == text
    assert not any(ord(char) < 32 and char not in "\n\t" for char in text)
    report = a_report(text)
    assert reports.from_json(reports.to_json(report)).text == text
    assert text in reports.to_text(report, ()).decode()


def test_control_characters_are_seen_and_marks_of_direction_stay():
    assert clean_text("a\0b\x1b[31m\r\nc\rd\te\x85") == "a\ufffdb\ufffd[31m\nc\nd\te\ufffd"
    assert clean_text("\u05d0\u200f\ud800") == "\u05d0\u200f\ufffd"


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("schema", 2),
        ("schema", "1"),
        ("schema", True),
        ("first", 1),
        ("first", None),
        ("text", None),
        ("unit", 3),
        ("day", "2026-02-30"),
        ("day", 20261124),
        ("mailbox_key", "AAAA"),
        ("mailbox_key", None),
        ("reply_public_key", ""),
    ],
)
def test_a_report_of_the_wrong_shape_is_refused(a_report, key, wrong):
    document = canonical.load(reports.to_json(a_report()))
    with pytest.raises(NotCanonical):
        reports.from_json(canonical.dump({**document, key: wrong}))
    del document[key]
    with pytest.raises(NotCanonical):
        reports.from_json(canonical.dump(document))


def test_a_person_can_read_it_without_candour(a_report):
    text = reports.to_text(replace(a_report(), day=date(2026, 11, 24)), (PHOTO,)).decode()
    assert text.startswith("A report to test-unit, sent on 2026-11-24.\n")
    assert "files/0001-photo.jpg (12 bytes, looks like image/jpeg)" in text
    assert text.endswith("It happened at the yard.\n")
    assert reports.to_text(a_report(first=False), ()).startswith(b"A later message")


@pytest.mark.parametrize("force", ["kent", SEVERAL])
def test_what_must_not_see_it_is_in_both_and_read_back(a_report, force):
    report = replace(a_report(), kept_from=force)
    assert reports.from_json(reports.to_json(report)) == report
    said = reports.to_text(report, ()).decode()
    named = "kent" if force == "kent" else "more than one force, which they did not name"
    assert f"The reporter asked that it must not be seen by: {named}.\n" in said
    assert b"must not be seen" not in reports.to_text(a_report(), ())
    assert b"kept_from" not in reports.to_json(a_report()), "as it was before there was such a thing"


@pytest.mark.parametrize("wrong", ["", "../x", "Kent Police", "k\n", 7, None, ["kent"]])
def test_what_must_not_see_it_is_a_force_or_refused(a_report, wrong):
    document = canonical.load(reports.to_json(a_report()))
    with pytest.raises(NotCanonical):
        reports.from_json(canonical.dump({**document, "kept_from": wrong}))


def test_that_the_unit_may_be_involved_is_in_both_and_read_back(a_report):
    report = replace(a_report(), involved=True)
    assert reports.from_json(reports.to_json(report)) == report
    assert f"\n{reports.INVOLVED}\n".encode() in reports.to_text(report, ())
    assert reports.INVOLVED.encode() not in reports.to_text(a_report(), ())
    assert b"involved" not in reports.to_json(a_report()), "as it was before there was such a thing"
    document = canonical.load(reports.to_json(report))
    for wrong in (False, "yes", None, 1):
        with pytest.raises(NotCanonical):
            reports.from_json(canonical.dump({**document, "involved": wrong}))


def test_a_manifest_is_read_back():
    assert reports.from_manifest(reports.to_manifest((PHOTO, PHOTO))) == (PHOTO, PHOTO)


@pytest.mark.parametrize(
    "entry", [None, "x", {}, {"name": "a"}, {"name": "a", "size": -1, "sha256": "", "kind": ""}]
)
def test_a_manifest_of_the_wrong_shape_is_refused(entry):
    with pytest.raises(NotCanonical):
        reports.from_manifest(canonical.dump({"schema": 1, "files": [entry]}))


def test_messages_of_one_conversation_are_recognised_and_of_two_are_not(a_report, other_party):
    one = a_report().conversation
    assert one.identity == a_report("more", first=False).conversation.identity
    other = replace(one, reply_public_key=other_party.public)
    assert other.identity != one.identity
    assert len(one.identity) == 32


def test_a_report_does_not_print(a_report):
    assert "yard" not in repr(a_report())
    assert "photo" not in repr(PHOTO)
