"""A form is the same form however the network cuts it: no byte of a file comes or goes."""

import pytest

from common.config import Limits
from source_interface.intake.form import StreamedForm

BOUNDARY = b"----geckoformboundary5d1f"
WORDS = {"csrf": "t", "slot": "7", "text": "Words,\r\nand more.\r"}
EVIDENCE = b"\xff\xd8 evidence, whose SHA-256 somebody compares\n"
ENDS = [
    b"",
    b"\r",
    b"\n",
    b"\r\n",
    b"-",
    b"\r\n-",
    b"\r\n--",
    b"\r\n--" + BOUNDARY[:-1],
    b"--" + BOUNDARY + b"x",
]
FORMS = {
    "no file": [("", b"")],
    "one file": [("a.jpg", EVIDENCE)],
    "three": [("a.jpg", EVIDENCE), ("empty", b""), ("b", b"\r\n")],
    **{f"ends in {end!r}": [("a", b"x" + end)] for end in ENDS},
}


class Cut:
    """A body that arrives in these pieces."""

    def __init__(self, body, cuts):
        self.pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) if a < b]

    def read(self, size):
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]


def read(body, cuts):
    kind = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    form = StreamedForm(Cut(body, cuts), kind, len(body), Limits())
    form.read_fields()
    files = [(file.untrusted_name, b"".join(file.chunks)) for file in form.files()]
    return form.fields, files


@pytest.fixture(params=FORMS)
def sent(request, multipart):
    """A form's body, and what is in it."""
    files = FORMS[request.param]
    parts = [*WORDS.items(), *(("files", name, content) for name, content in files)]
    return multipart(parts, BOUNDARY), (WORDS, [file for file in files if file != ("", b"")])


def test_wherever_a_form_is_cut_it_is_the_same(sent):
    body, content = sent
    assert read(body, []) == content
    for at in range(1, len(body)):
        assert read(body, [at]) == content, body[at - 8 : at]


def test_cut_twice_near_its_end_a_form_is_the_same(sent):
    body, content = sent
    for first in range(len(body) - 40, len(body)):
        for second in range(first, len(body)):
            assert read(body, [first, second]) == content, (body[first:second], body[second:])


def test_byte_by_byte_a_form_is_the_same(sent):
    body, content = sent
    assert read(body, range(1, len(body))) == content


def test_cut_between_its_last_dashes_a_large_form_is_the_same(multipart):
    large = bytes(range(256)) * 2048  # several reads
    for size in range(len(large) - 80, len(large)):
        body = multipart([*WORDS.items(), ("files", "a", large[:size]), ("files", "b", EVIDENCE)], BOUNDARY)
        assert read(body, [len(body) - 3]) == (WORDS, [("a", large[:size]), ("b", EVIDENCE)])


def test_a_delimiter_may_be_padded(multipart):
    body = multipart([*WORDS.items(), ("files", "a", EVIDENCE)], BOUNDARY).replace(
        BOUNDARY + b"\r", BOUNDARY + b" \t\r"
    )
    for at in range(1, len(body)):
        assert read(body, [at]) == (WORDS, [("a", EVIDENCE)])
