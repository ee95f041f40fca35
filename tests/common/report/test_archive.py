"""The archive inside a report: any files go in and come out, its size says nothing, any unzip opens it."""

import hashlib
import io
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.canonical import load
from common.report import archive, zip64
from common.report.archive import Extract, FilePart, NotAnEnvelope, Tail, WrongFile
from common.report.filename import archive_name
from common.report.padding import padded_size
from common.report.report import Report

uploads = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=2000)), max_size=6)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=3000)


def cut(content, step):
    return iter([content[at : at + step] for at in range(0, len(content), step)])


def written(files, report, step=700):
    return b"".join(archive.write([FilePart(name, cut(data, step)) for name, data in files], lambda: report))


def tail_of(packed, keep=archive.TAIL_BYTES, step=1000):
    tail = Tail(keep)
    for chunk in cut(packed, step):
        tail.feed(chunk)
    return tail


def extracted(packed, tail, file, step=777):
    out = bytearray()
    extract = Extract(tail, file, out.extend)
    for chunk in cut(packed, step):
        extract.feed(chunk)
    extract.check()
    return bytes(out)


@given(files=uploads, text=texts)
def test_any_files_and_text_go_in_and_come_out(a_report, files, text):
    report = a_report(text)
    packed = written(files, report)
    tail = tail_of(packed)
    opened = archive.read(tail)
    assert opened.report == report
    assert [file.name for file in opened.files] == [archive_name(n, f[0]) for n, f in enumerate(files, 1)]
    assert [extracted(packed, tail, file) for file in opened.files] == [data for _, data in files]
    assert tail.size == len(packed)
    assert tail.sha256.hexdigest() == hashlib.sha256(packed).hexdigest()


@given(files=uploads, text=texts)
def test_the_size_is_a_padded_one_and_the_smallest_that_holds_it(a_report, files, text):
    packed = written(files, a_report(text))
    assert padded_size(len(packed)) == len(packed)
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        padding = opened.read("padding")
    assert not any(padding)
    assert padded_size(len(packed) - len(padding)) == len(packed)


@given(data=st.data(), files=uploads)
def test_content_of_one_length_has_one_size(a_report, data, files):
    others = [(name, data.draw(st.binary(min_size=len(d), max_size=len(d)))) for name, d in files]
    one, other = (written(f, a_report(t)) for f, t in ((files, "a" * 50), (others, "b" * 50)))
    assert len(one) == len(other)


@given(files=uploads, step=st.integers(1, 500), feed=st.integers(1, 5000))
def test_how_it_is_cut_makes_no_difference(a_report, files, step, feed):
    packed = written(files, a_report(), step)
    assert packed == written(files, a_report(), 10_000)
    opened = archive.read(tail_of(packed, step=feed))
    assert opened == archive.read(tail_of(packed, step=len(packed)))


def test_unzip_and_python_open_it(a_report, tmp_path):
    files = [("photo.jpg", b"\xff\xd8\xff\xe0" + bytes(5000)), ("Grüße \U0001f47b.txt", b"hello"), ("", b"")]
    packed = tmp_path / "report.zip"
    packed.write_bytes(written(files, a_report("Hello\n" * 10)))
    tested = subprocess.run(["unzip", "-t", packed], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout
    assert "No errors detected" in tested.stdout
    shown = subprocess.run(["unzip", "-p", packed, "report.txt"], capture_output=True, check=True).stdout
    assert shown.decode().endswith("Hello\n\n")
    photo = subprocess.run(["unzip", "-p", packed, "files/0001-photo.jpg"], capture_output=True, check=True)
    assert photo.stdout == files[0][1]
    with zipfile.ZipFile(packed) as opened:
        assert opened.testzip() is None
        assert [entry.filename for entry in opened.infolist()] == [
            *("files/0001-photo.jpg", "files/0002-Grüße \U0001f47b.txt", "files/0003-file"),
            *("padding", "report.txt", "report.json", "manifest.json"),
        ]
        assert {entry.date_time for entry in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        manifest = load(opened.read("manifest.json"))["files"]
    assert [entry["kind"] for entry in manifest] == ["image/jpeg", "text/plain", "empty"]
    assert manifest[0]["sha256"] == hashlib.sha256(files[0][1]).hexdigest()


def test_nothing_is_taken_before_it_is_asked_for(a_report):
    asked = []

    def chunks():
        for number in range(3):
            asked.append(number)
            yield b"x"

    pieces = archive.write([FilePart("a", chunks())], a_report)
    assert asked == []
    next(pieces)
    assert asked == []
    next(pieces)
    assert asked == [0]
    del pieces


def test_what_a_file_or_the_report_raises_comes_out():
    def broken():
        yield b"x"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(archive.write([FilePart("a", broken())], lambda: pytest.fail("asked too early")))

    def refuses() -> Report:
        raise KeyError

    with pytest.raises(KeyError):
        list(archive.write([], refuses))


def test_the_report_is_asked_for_once_all_files_are_through(a_report):
    events = []

    def chunks():
        yield b"x"
        events.append("file")

    def report():
        events.append("report")
        return a_report()

    list(archive.write([FilePart("a", chunks()), FilePart("b", chunks())], report))
    assert events == ["file", "file", "report"]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", "empty"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "image/png"),
        (b"plain words", "text/plain"),
        ("Grüße".encode() * 100, "text/plain"),
        (b"\0\1\2\3\4\5\6\7", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_first_bytes_say(head, kind):
    assert archive.sniff(head) == kind


@given(st.binary(max_size=300))
def test_sniffing_never_fails(head):
    assert archive.sniff(head)


def test_a_tail_too_short_for_the_small_parts_is_no_envelope(a_report):
    packed = written([("a", bytes(50_000))], a_report())
    needed = next(keep for keep in range(200, 20_000, 20) if readable(tail_of(packed, keep, keep)))
    assert needed < 8_000  # report.txt, report.json, manifest and directory, not the padding before them
    for keep in (1, 22, 100, needed // 2):
        with pytest.raises(NotAnEnvelope):
            archive.read(tail_of(packed, keep, step=1))


def readable(tail):
    try:
        archive.read(tail)
    except NotAnEnvelope:
        return False
    return True


def test_a_tail_keeps_no_more_than_it_was_told():
    tail = tail_of(bytes(100_000), keep=1000, step=333)
    assert len(tail._kept) <= 2000
    assert tail.size == 100_000


def test_another_stream_the_second_time_is_the_wrong_file(a_report):
    packed = written([("a", b"content" * 100)], a_report())
    tail = tail_of(packed)
    file = archive.read(tail).files[0]
    at = packed.index(b"content")
    altered = packed[:at] + b"C" + packed[at + 1 :]
    for other in (altered, packed[: at + 50], b"", b"x" + packed):
        with pytest.raises(WrongFile):
            extracted(other, tail, file)


def test_an_entry_costs_what_it_is_said_to_cost():
    for name, content in (("a", b""), ("files/0001-é", b"x" * 100)):
        packed = zip64.ZipWriter()
        size = len(packed.begin(name) + packed.content(content) + packed.end() + packed.finish())
        assert size == zip64.entry_cost(name) + len(content) + zip64.END_COST


def test_the_file_parts_do_not_print():
    assert "secret" not in repr(FilePart("secret.jpg", iter([b"secret"])))
    assert Path(archive_name(1, "x")).parent == Path("files")
