"""Names made harmless: whatever a sender called a file, on every system it may be saved."""

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.report.filename import archive_name, is_archive_name

ODD = "aé \u0301\u0338<=.-/\\\0\u200d\u202e\u2066\u00a0\u3000\U0001f47b:|_\u1100\u1161\n~"


def held(name):
    """A name's own part, when the whole is safe."""
    folder, _, own = name.partition("/")
    assert folder == "files"
    assert own[4:5] == "-"
    assert own[:4].isdecimal()
    own = own[5:]
    assert own
    assert len(own.encode()) <= 100
    assert not set(own) & set('/\\\0<>:"|?*')
    assert not [char for char in own if unicodedata.category(char)[0] == "C"]
    assert own[0] not in " .-"
    assert own[-1] not in " .-"
    assert PurePosixPath(name).parts == ("files", name[6:])
    assert PureWindowsPath(name).name == name[6:]
    return own


@given(st.text(max_size=200) | st.text(ODD, max_size=200))
@example("e\u200d\u0301.jpg")
@example("<\u200d\u0338")
@example("a" * 99 + " b")
@example("a" * 99 + "." + "b" * 40)
@example("é" * 49 + ".. - b")
@example("\ud800")
def test_any_name_becomes_a_safe_one_that_is_taken_for_safe_when_read_back(untrusted):
    name = archive_name(7, untrusted)
    held(name)
    assert is_archive_name(name)
    assert archive_name(7, name.removeprefix("files/0007-")) == name


@pytest.mark.parametrize(
    ("untrusted", "own"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\x.exe", "x.exe"),
        ("/", "file"),
        ("", "file"),
        (".", "file"),
        ("..", "file"),
        ("...", "file"),
        (" - . - ", "file"),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("a\0b.txt", "ab.txt"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("\u200b\u2066\ufeff", "file"),
        ("C:\\Users\\j.smith\\notes.pdf", "notes.pdf"),
        ('what? "this": <it>|*.txt', "what_ _this__ _it___.txt"),
        ("two  words.tar.gz", "two  words.tar.gz"),
        ("é\n\t.pdf", "é.pdf"),
        ("e\u0301.pdf", "é.pdf"),
        ("\U0001f47b.png", "\U0001f47b.png"),
        ("x" * 300 + ".pdf", "x" * 96 + ".pdf"),
        ("x" * 300, "x" * 100),
        ("a." + "x" * 300, "a." + "x" * 98),
        ("é" * 300 + ".jpeg", "é" * 47 + ".jpeg"),
    ],
)
def test_known_names(untrusted, own):
    assert archive_name(1, untrusted) == f"files/0001-{own}"


def test_two_files_of_one_name_are_kept_apart():
    assert archive_name(1, "a.jpg") != archive_name(2, "a.jpg")
    assert archive_name(9999, "a.jpg") == "files/9999-a.jpg"


@pytest.mark.parametrize(
    "untrusted",
    [
        "",
        "files/",
        "files/0001-",
        "files/0001-../x",
        "files/0001-a/b",
        "files/0001-a\\b",
        "files/0001-.hidden",
        "files/0001-a.",
        "files/0001-a ",
        "files/0001-a\u202eb",
        "files/0001-a\nb",
        "files/0001-a\0",
        "files/0001-e\u0301",
        "files/0001-" + "x" * 101,
        "files/1-a",
        "files/10000-a",
        "files/\u0660\u0660\u0660\u0661-a",
        "/files/0001-a",
        "../files/0001-a",
        "Files/0001-a",
        "0001-a",
        "files/0001-a\n",
    ],
)
def test_a_name_that_is_not_made_here_is_not_taken(untrusted):
    assert not is_archive_name(untrusted)


@given(st.text(max_size=30) | st.text(ODD, max_size=30).map("files/0001-{}".format))
def test_whatever_is_taken_is_safe(untrusted):
    if is_archive_name(untrusted):
        held(untrusted)
