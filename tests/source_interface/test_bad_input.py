"""Whatever is typed, named or sent is taken or refused whole, in bounded time and memory, with no temporary file."""

import os
import resource
import tempfile
import time
from urllib.parse import urlencode

import pytest
from flask import request

from common.report.archive import FilePart

pytestmark = pytest.mark.slow

TEXTS = {
    "NUL": ("before\0after", "before\ufffdafter"),
    "control characters": ("a\x01b\x1b[31mc\x7f\x85d\x9b", "a\ufffdb\ufffd[31mc\ufffd\ufffdd\ufffd"),
    "line ends": ("one\r\ntwo\rthree\nfour\tfive", "one\ntwo\nthree\nfour\tfive"),
    "right to left": (
        "\u202eevil\u202c \u2066x\u2069 שלום مرحبا",
        "\u202eevil\u202c \u2066x\u2069 שלום مرحبا",
    ),
    "emoji": ("🕊👩\u200d👧 e\u0301", "🕊👩\u200d👧 e\u0301"),
    "no UTF-8": (b"caf\xe9 \xff\xc0\x80 \xed\xa0\x80", "caf\ufffd \ufffd\ufffd\ufffd \ufffd\ufffd\ufffd"),
    "looks like a boundary": (
        "------geckoformboundary5d1\r\n--x--\r\n",
        "------geckoformboundary5d1\n--x--\n",
    ),
    "template and markup": (
        "{{ 7*7 }} {% x %} <b>&amp;</b> %s %(x)s {0}",
        "{{ 7*7 }} {% x %} <b>&amp;</b> %s %(x)s {0}",
    ),
    "the longest": ("é" * 200_000, "é" * 200_000),
}
LONG = "n" * 300 + ".jpeg"
NAMES = [
    ("../../x", b"up", "files/0001-x"),
    ("/etc/passwd", b"root", "files/0002-passwd"),
    ("C:\\Users\\me\\a.doc", b"doc", "files/0003-C_Usersmea.doc"),
    ("same.txt", b"first", "files/0004-same.txt"),
    ("same.txt", b"second", "files/0005-same.txt"),
    ("empty.bin", b"", "files/0006-empty.bin"),
    ("", b"nameless, not empty", "files/0007-file"),
    (LONG, b"long", "files/0008-" + "n" * 95 + ".jpeg"),
    ("gpj.\u202eexe", b"rtl", "files/0009-gpj.exe"),
    (".bashrc", b"dot", "files/0010-bashrc"),
    ("a\0b\x07.txt", b"nul", "files/0011-ab.txt"),
    ("ünïcödé 🕊.txt", b"u", "files/0012-ünïcödé 🕊.txt"),
    ("report.json", b"{}", "files/0013-report.json"),
    ("x; filename=y", b"semicolon", "files/0014-x; filename=y"),
    ("%22quoted%22", b"percent", "files/0015-_quoted_"),
]


@pytest.fixture
def kept(reporter, arrived, house, opened):
    """What is sealed of a message that was taken: (report, files)."""

    def send(text="Words.", files=()):
        before = set(arrived(house.config))
        reporter.start() if not reporter.cookie else reporter.get("/conversation")
        answer = reporter.write(text, files)
        assert answer.goes_to in ("/sent", "/conversation"), answer.page.words
        [new] = set(arrived(house.config)) - before
        return opened(new)

    return send


def test_a_text_arrives_as_typed_with_what_cannot_be_seen_made_visible(kept):
    for name, (typed, expected) in TEXTS.items():
        report, files = kept(typed)
        assert report.text == expected, name
        assert files == {}


def test_files_arrive_byte_by_byte_under_harmless_names(kept):
    _, files = kept(files=[(name, content) for name, content, _ in NAMES])
    assert files == {kept_name: content for _, content, kept_name in NAMES}


def test_a_nameless_empty_file_is_none(kept):
    _, files = kept(files=[("", b""), ("", b"")])
    assert files == {}


def test_contents_that_look_like_the_form_stay_contents(kept):
    nasty = [
        b"\r\n--",
        b"\r\n------geckoformboundary5d1",
        b"\r\n------geckoformboundary5d1\r\n" * 3,
        b"\r" * 70_000 + b"\n" * 70_000,
        b"\r\n" * 200_000,
        os.urandom(600_000),
    ]
    _, files = kept(files=[(f"{n}", content) for n, content in enumerate(nasty)])
    assert list(files.values()) == nasty


def part(name, content=b"x", extra=b"", boundary=b"b"):
    return b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (
        boundary,
        name,
        extra,
        content,
    )


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """An empty folder for temporary files, that must have stayed untouched."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    os.utime(folder, (0, 0))
    yield folder
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mtime == 0, "something was made in it"


@pytest.fixture
def broken(reporter, arrived, house, temporary):
    """Sends bytes that are no form of ours: refused politely, soon, and without growing."""

    def send(body, kind="multipart/form-data; boundary=b", status=(400,), **headers):
        reporter.get("/report")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.monotonic()
        answer = reporter.ask("POST", "/report", body, Content_Type=kind, **headers)
        assert time.monotonic() - started < 60  # on a busy machine
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 * 1024  # KiB
        assert answer.status in status, answer.page.words
        assert arrived(house.config) == []
        return answer

    reporter.start()
    return send


def ours(reporter):
    fields = reporter.get("/report").page.forms["/report"]
    return b"".join(part(name.encode(), value.encode()) for name, value in fields.items())


def test_a_form_that_is_not_whole(broken, reporter):
    broken(b"")
    broken(b"--b")
    broken(b"no boundary at all")
    broken(ours(reporter) + part(b"text"))
    broken(ours(reporter) + part(b"text") + b"--b-")
    broken(ours(reporter) + part(b"text") + part(b"files", b"f" * 100_000, b'; filename="f"'))
    broken(ours(reporter) + part(b"text") + b"--b--\r\n", kind="multipart/form-data; boundary=c")


def test_a_form_without_a_proper_boundary(broken, reporter):
    whole = ours(reporter) + part(b"text") + b"--b--\r\n"
    for kind in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "b" * 200,
        "multipart/form-data; boundary=é",
        "multipart/mixed; boundary=b",
        "text/plain",
        "application/json",
        "nonsense",
        "",
    ):
        broken(whole, kind=kind)


def test_a_form_of_the_wrong_kind(broken, reporter, multipart):
    fields = reporter.get("/report").page.forms["/report"] | {"text": "Words."}
    broken(urlencode(fields).encode(), kind="application/x-www-form-urlencoded")
    for path in ("/routing", "/return", "/noted"):
        reporter.get("/return")
        token = next(iter(reporter.forms.values()))["csrf"]
        sent = multipart([("csrf", token), ("unit", "test-unit"), ("f", "big.bin", b"x" * 3_000_000)])
        assert reporter.deliver(path, sent).status == 400


def test_no_view_can_have_a_form_written_to_a_file(app, reporter, multipart, temporary):
    """Should one ever parse a form as Flask does: the way to a temporary file is walled up."""
    parsed = []

    @app.post("/careless")
    def careless():
        parsed.append(request.files)
        return "taken"

    for size in (1, 3_000_000):
        body = multipart([("f", "f.bin", b"x" * size)])
        assert reporter.deliver("/careless", body).status == 400
    assert parsed == []


def test_too_much_of_everything(broken, reporter):
    broken(part(b"a") * 1_000_000 + b"--b--\r\n")
    broken(b"".join(part(b"f%d" % n) for n in range(200)) + b"--b--\r\n")
    broken(b"--b\r\nContent-Disposition: form-data; name=" + b"x" * 20_000_000)
    broken(b"--b\r\n" + b"A: b\r\n" * 3_000_000)
    broken(b"x" * 20_000_000)
    broken(b"--b\r\n\r\n" * 1_000_000)
    broken(part(b"csrf", b"x" * 20_000_000) + b"--b--\r\n", status=(400, 403))
    broken(part(b"files", b"", b'; filename=""') * 1_000_000 + b"--b--\r\n", status=(403,))
    broken(ours(reporter) + part(b"text") + part(b"files", b"", b'; filename=""') * 1_000_000 + b"--b--\r\n")
    broken(b"\r\n--b" * 3_000_000, kind="multipart/form-data; boundary=b")
    broken(b"--b--\r\n" + b"x" * 20_000_000)


def test_fields_that_are_odd(broken, reporter):
    start, end = ours(reporter), b"--b--\r\n"
    broken(start + part(b"text") + part(b"text", b"again") + end)
    broken(start + part(b"slot", b"1") + part(b"text") + end)
    broken(start + part(b"", b"nameless") + part(b"text") + end)
    broken(start + b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + end)
    broken(start + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" + end)
    broken(start + b'--b\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\nx\r\n' + end)


def test_a_field_after_the_files_is_heard_all_the_same(kept, reporter):
    reporter.start()
    body = (
        ours(reporter)
        + part(b"files", b"content", b'; filename="f"')
        + part(b"text", b"Last.")
        + b"--b--\r\n"
    )
    answer = reporter.ask("POST", "/report", body, Content_Type="multipart/form-data; boundary=b")
    assert answer.goes_to == "/sent"


def test_what_decides_may_not_come_after_the_files(broken, reporter):
    form = reporter.get("/report").page.forms["/report"]
    token, slot, to = (part(name.encode(), form[name].encode()) for name in ("csrf", "slot", "addressees"))
    file = part(b"files", b"content", b'; filename="f"')
    end = part(b"text") + b"--b--\r\n"
    broken(file + token + slot + to + end, status=(403,))
    broken(token + file + slot + to + end, status=(409,))
    broken(token + to + file + slot + end)


@pytest.mark.quiet
def test_a_small_form_has_bounds(reporter):
    for body in (b"csrf=" + b"x" * 70_000, b"a=b&" * 17_000, b"%" * 70_000):
        reporter.get("/routing")
        started = time.monotonic()
        answer = reporter.ask("POST", "/routing", body, Content_Type="application/x-www-form-urlencoded")
        assert answer.status in (400, 403, 413)
        assert time.monotonic() - started < 2


def test_odd_answers_to_small_forms_are_refused_politely(reporter):
    reporter.report()
    for path, field in (("/withdraw", "slot"), ("/answer/delete", "answer")):
        for value in ("256", "-1", "", "x", "٣", "0000999", "9" * 5000, "1\0"):
            page = reporter.get("/conversation")
            answer = reporter.post(path, {field: value, "csrf": page.page.forms["/leave"]["csrf"]})
            assert answer.status == 400, (path, value)
    for typed in ("", " ", "x" * 401, "\0" * 50, "\uff41bacus " * 7, "1 2 3 4 5 6 7", "’" * 300, "a " * 200):
        reporter.get("/return")
        answer = reporter.post("/return", {"codename": typed})
        assert answer.status == 422, typed
        assert answer.page.textareas["codename"].strip("\n") == typed[:400] or "\0" in typed


def test_a_part_is_pulled_and_never_gathered(house):
    """The way from form to gpg holds one chunk at a time: an endless file is written as far as it is asked for."""
    from common.report import archive

    asked = 0

    def endless():
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 1000

    pieces = archive.write([FilePart("endless", endless())], lambda: None)  # type: ignore[arg-type, return-value]
    for _ in range(50):
        next(pieces)
    assert asked <= 50
