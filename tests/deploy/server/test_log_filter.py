"""What has no listed form is not written, whoever writes it."""

import logging

import pytest

from common.error_place import kind_and_place
from deploy.server.log_filter import quiet_record
from deploy.server.log_forms import is_allowed

PLANTED = "Zanzibar-the-planted-word"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Error handling request %s", ("/" + PLANTED,)),
        (PLANTED, ()),
        ("ValueError at a.py:7\n" + PLANTED, ()),
        ("a message could not be kept: " + PLANTED + " and more", ()),
        ("%d " + PLANTED, ("no number",)),
    ],
)
def test_a_line_of_another_form_is_told_by_its_place_alone(text, values):
    record = quiet_record("some.library", logging.ERROR, "/usr/lib/some/library.py", 71, text, values, None)
    assert (
        record.getMessage() == "Something of another form was not written: some.library at some/library.py:71"
    )
    assert is_allowed(record.getMessage())


@pytest.mark.parametrize(
    "text",
    ["a page failed: %s", "an envelope's archive was refused: %s", "an envelope was set aside: %s"],
)
def test_of_an_error_at_a_desk_its_kind_and_place_are_written_and_no_value(text):
    try:
        raise LookupError(PLANTED)
    except LookupError as error:
        told = kind_and_place(error)
    record = quiet_record("candour.desk", logging.ERROR, "x.py", 1, text, (told,), None)
    assert record.getMessage() == text % told
    assert "LookupError at " in record.getMessage()
    assert PLANTED not in record.getMessage()
    record = quiet_record("candour.desk", logging.ERROR, "x.py", 1, text, (f"{told} {PLANTED}",), None)
    assert PLANTED not in record.getMessage()


def test_a_listed_line_is_written():
    record = quiet_record(
        "gunicorn.error", logging.ERROR, "x.py", 1, "Worker (pid:%s) was sent SIGKILL!", (7,), None
    )
    assert record.getMessage() == "Worker (pid:7) was sent SIGKILL!"
