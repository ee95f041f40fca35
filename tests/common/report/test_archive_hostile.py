"""Archives that Candour did not write: each is refused as no envelope, none does harm."""

import contextlib
import io
import struct
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.report import archive
from common.report import report as reports
from common.report.archive import Extract, FilePart, NotAnEnvelope, Tail, WrongFile
from common.report.report import Attachment

PARTS = ("padding", "report.txt", "report.json", "manifest.json")
FILE = "files/0001-a.txt"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def tail_of(packed):
    tail = Tail()
    tail.feed(packed)
    return tail


def refused(packed):
    with pytest.raises(NotAnEnvelope):
        archive.read(tail_of(packed))


@pytest.fixture(scope="module")
def good(a_report):
    files = [FilePart("a.txt", iter([b"a file" * 50])), FilePart("b.txt", iter([b"another"]))]
    return b"".join(archive.write(files, a_report))


@pytest.fixture(scope="module")
def forged(a_report):
    """Makes an archive by hand, with another tool, one entry or the manifest not as it should be."""

    def make(files=((FILE, b""),), manifest=None, names=PARTS, change=lambda entry: entry):
        listed = tuple(Attachment(name, len(data), EMPTY, "empty") for name, data in files)
        small = {
            "padding": b"",
            "report.txt": b"x",
            "report.json": reports.to_json(a_report()),
            "manifest.json": reports.to_manifest(listed if manifest is None else manifest),
        }
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as packed:
            for name, data in [*files, *((name, small.get(name, b"")) for name in names)]:
                packed.writestr(change(zipfile.ZipInfo(name)), data)
        return out.getvalue()

    return make


def changed(packed, name, at, fmt, value):
    """The archive with a field of an entry's header in the directory replaced."""
    start = packed.rindex(name.encode()) - 46
    assert packed[start : start + 4] == b"PK\x01\x02"
    size = struct.calcsize(fmt)
    return packed[: start + at] + struct.pack(fmt, value) + packed[start + at + size :]


def test_what_is_forged_without_a_fault_is_taken(forged):
    assert archive.read(tail_of(forged())).files[0].name == FILE


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("which", [FILE, "padding", "report.json"])
def test_a_compressed_entry_is_refused(forged, method, which):
    def change(entry):
        entry.compress_type = method if entry.filename == which else zipfile.ZIP_STORED
        return entry

    refused(forged(change=change))


def test_a_bomb_is_not_unpacked(forged):
    out = io.BytesIO(forged())
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb", bytes(100_000_000))
    bomb = out.getvalue()
    tracemalloc.start()
    refused(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("name", "flag"), [(FILE, 1), ("report.json", 1), ("report.json", 1 << 5), ("report.json", 1 << 6)]
)
def test_a_flag_of_encryption_or_patching_is_refused(good, name, flag):
    refused(changed(good, name, 8, "<H", 0x808 | flag))


@pytest.mark.parametrize(
    "names",
    [
        PARTS[:3],
        PARTS[1:],
        (*PARTS, "more"),
        (*PARTS, "../x"),
        (*PARTS, "report.json"),
        (),
        (*PARTS, "files/0002-b"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_missing_or_further_entry_is_refused(forged, names):
    refused(forged(names=names))


@pytest.mark.parametrize("manifest", [(), (Attachment("files/0002-b.txt", 0, EMPTY, "empty"),)])
def test_a_manifest_that_names_other_files_is_refused(forged, manifest):
    refused(forged(manifest=manifest))


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/x",
        "/etc/x",
        "files/x",
        "files/0001-.x",
        "files/0001-a\u202eb",
        "a.txt",
        "padding",
        "files/",
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_not_made_here_is_refused(forged, name):
    refused(forged(files=((name, b""),)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(forged):
    refused(forged(files=((FILE, b""), (FILE, b""))))


def test_sizes_that_disagree_are_refused(forged):
    refused(forged(manifest=(Attachment(FILE, 1, EMPTY, "empty"),)))
    packed = forged(files=((FILE, b"abc"),))
    for size in (0, 2, 4, 2**31, 2**32 - 1):
        refused(changed(packed, FILE, 24, "<L", size))
        refused(changed(packed, FILE, 20, "<L", size))


def test_a_directory_that_points_elsewhere_gives_the_wrong_file(forged, good):
    tail = tail_of(changed(forged(files=((FILE, b"abc"),)), FILE, 42, "<L", 3))
    with pytest.raises(WrongFile):
        saved(tail, archive.read(tail).files[0], good)


def saved(tail, file, stream):
    extract = Extract(tail, file, bytearray().extend)
    extract.feed(stream)
    extract.check()


def test_ten_thousand_entries_are_refused(forged):
    refused(forged(files=tuple((f"files/{n:04d}-a", b"") for n in range(9_999))))
    at_most = tuple((f"files/{n:04d}-a", b"") for n in range(1, archive.MOST_FILES + 1))
    assert len(archive.read(tail_of(forged(files=at_most))).files) == archive.MOST_FILES
    refused(forged(files=(*at_most, ("files/1001-a", b""))))


def test_a_truncated_archive_is_refused(good):
    for length in (0, 1, 21, 22, 100, len(good) // 2, *range(len(good) - 120, len(good))):
        refused(good[:length])


def only_refuses(packed):
    """Read and take out all there is: refused at any point, or the very files that the manifest names."""
    tail = tail_of(packed)
    try:
        opened = archive.read(tail)
    except NotAnEnvelope:
        return
    for file in opened.files:
        with contextlib.suppress(WrongFile):
            saved(tail, file, packed)


@given(st.binary(max_size=400))
@example(b"")
@example(b"PK\x05\x06" + bytes(18))
@example(b"PK\x05\x06" + b"\xff" * 18)
@example(b"PK\x06\x07" + bytes(16) + b"PK\x05\x06" + b"\xff" * 18)
def test_random_bytes_are_refused(junk):
    refused(junk)


@settings(max_examples=400)
@given(data=st.data())
def test_damage_anywhere_in_the_directory_is_at_most_refused(good, data):
    packed = bytearray(good)
    start = good.index(b"PK\x01\x02")
    for at in data.draw(st.lists(st.integers(start - 900, len(good) - 1), min_size=1, max_size=4)):
        packed[at] = data.draw(st.integers(0, 255))
    only_refuses(bytes(packed))


@given(cut=st.lists(st.integers(0, 16_000), min_size=2, max_size=2), junk=st.binary(max_size=60))
def test_something_else_in_the_middle_is_at_most_refused(good, cut, junk):
    first, last = sorted(cut)
    only_refuses(good[:first] + junk + good[last:])


def test_a_name_that_is_not_utf_8_is_refused(good):
    directory = good.index(b"PK\x01\x02")
    at = good.rindex(b"report.json", 0, directory)  # in the local header
    refused(good[:at] + b"\xff" * 11 + good[at + 11 :])
    at = good.rindex(b"report.json")
    refused(good[:at] + b"\xff" * 11 + good[at + 11 :])


@pytest.mark.parametrize("small", ["report.json", "manifest.json"])
def test_a_small_part_that_is_no_such_document_is_refused(good, small):
    directory = good.index(b"PK\x01\x02")
    start = good.rindex(small.encode(), 0, directory) + len(small) + 20
    end = good.index(b"PK\x07\x08", start)
    junk = b"[" * (end - start)
    packed = good[:start] + junk + good[end:]
    refused(changed(packed, small, 16, "<L", zlib.crc32(junk)))
