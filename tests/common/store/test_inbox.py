"""The inbox as the collection writes it: durable, resumable, counted by what lies there."""

import hashlib
import os

import pytest

from common.store.inbox import Inbox, Usage
from common.transport import post

CONTENT = b"sealed" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def begun(inbox, desk):
    """An envelope that is about to be passed on: its id."""
    identity, slip = desk.slip(CONTENT, "other")
    assert inbox.begin("u", identity, slip) == 0
    assert inbox.slip("u", identity) == slip
    return identity


def test_a_post_lies_there_under_its_identity_and_once(inbox, desk):
    document = desk.reply()
    assert not inbox.has_post("u", document)
    for _ in range(2):
        inbox.put_post("u", document)
    assert inbox.has_post("u", document)
    assert [file.name for file in (inbox.root / "u").iterdir()] == [post.identity(document)]
    assert (inbox.root / "u" / post.identity(document)).read_bytes() == document
    assert inbox.usage("u") == Usage(1, 0, 0)
    assert inbox.usage("other") == Usage(0, 0, 0)


def test_a_post_is_durable_before_it_has_its_name(inbox, desk, monkeypatch):
    synced, real = [], os.fsync

    def spy(descriptor):
        real(descriptor)
        names = [file.name for file in (inbox.root / "u").iterdir()]
        synced.append((os.path.isdir(f"/proc/self/fd/{descriptor}"), names))  # noqa: PTH112

    document = desk.reply()
    monkeypatch.setattr(os, "fsync", spy)
    inbox.put_post("u", document)
    [(first, before), (then, after)] = synced
    assert (first, then) == (False, True)
    assert before[0].endswith(".part")
    assert after == [post.identity(document)]


def test_an_envelope_arrives_in_pieces_and_goes_on_where_a_line_broke(inbox, begun):
    assert inbox.append("u", begun, 0, CONTENT[:1000]) == 1000
    assert inbox.append("u", begun, 1000, CONTENT[1000:2500]) == 2500
    for at, piece in ((1000, CONTENT[1000:2000]), (0, b"x"), (3000, b"x")):  # again, altered, too far on
        assert inbox.append("u", begun, at, piece) == 2500
    assert inbox.usage("u") == Usage(0, 1, 2500)
    assert inbox.have("u", begun) == 2500
    assert not inbox.is_whole("u", begun)
    inbox.append("u", begun, 2500, CONTENT[2500:])
    assert inbox.finish("u", begun, SHA256)
    assert inbox.is_whole("u", begun)
    assert inbox.have("u", begun) == len(CONTENT)
    assert (inbox.root / "u" / begun).read_bytes() == CONTENT
    assert inbox.usage("u") == Usage(0, 1, len(CONTENT))
    assert inbox.append("u", begun, len(CONTENT), b"x") == len(CONTENT)
    assert (inbox.root / "u" / begun).read_bytes() == CONTENT


def test_what_is_altered_on_the_way_is_removed(inbox, begun):
    inbox.append("u", begun, 0, CONTENT[:-1] + b"x")
    assert not inbox.finish("u", begun, SHA256)
    assert list((inbox.root / "u").iterdir()) == []
    assert inbox.slip("u", begun) is None


def test_a_post_whose_identity_looks_like_an_envelope_s_is_counted_as_a_post(inbox):
    (inbox.root / "u").mkdir()
    (inbox.root / "u" / ("f" * 32)).write_bytes(b"x")
    assert inbox.usage("u") == Usage(1, 0, 0)


@pytest.mark.parametrize("name", ["", "..", "../x", "/x", "U", "x/y"])
def test_a_name_that_is_no_unit_s_or_no_envelope_s_is_refused(inbox, desk, name):
    with pytest.raises(ValueError, match="not a unit's name"):
        inbox.put_post(name, desk.reply())
    with pytest.raises(ValueError, match="not an envelope's name"):
        inbox.begin("u", name, b"{}")
    assert list(inbox.root.iterdir()) == []


@pytest.mark.parametrize(
    ("shared", "folder_mode", "file_mode"), [(False, 0o700, 0o600), (True, 0o2770, 0o640)]
)
def test_two_users_share_it_where_the_folder_was_made_for_a_group(
    folder, desk, shared, folder_mode, file_mode
):
    root = folder / "in"
    root.mkdir()
    root.chmod(folder_mode)
    inbox, mask = Inbox(root), os.umask(0o077)
    try:
        inbox.put_post("u", desk.reply())
        identity, slip = desk.slip(CONTENT, "other")
        inbox.begin("u", identity, slip)
        inbox.append("u", identity, 0, CONTENT)
        inbox.finish("u", identity, SHA256)
    finally:
        os.umask(mask)
    assert (root / "u").stat().st_mode & 0o7777 == folder_mode
    assert {file.stat().st_mode & 0o777 for file in (root / "u").iterdir()} == {file_mode}


def test_what_all_units_delivered_is_counted_and_a_hole_or_a_link_is_not(inbox, folder, desk, other_desk):
    assert inbox.taken_bytes() == 0
    documents = [desk.reply(), other_desk.reply()]
    for unit, document in zip(("u", "other"), documents, strict=True):
        inbox.put_post(unit, document)
    assert inbox.taken_bytes() == sum(map(len, documents))
    with (inbox.root / "u" / "sparse").open("wb") as stream:
        stream.truncate(2**40)
    (inbox.root / "linked").symlink_to(inbox.root / "u")
    assert inbox.taken_bytes() == sum(map(len, documents))
