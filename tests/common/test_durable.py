"""What is written durably is there whole or not at all, by steps in their order; who holds a lock is alone."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from common.durable import append, locked, new_file, sync_file, sync_folder, write_new, write_whole

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def steps(monkeypatch):
    """What is synced and renamed, in order, each by the name that it has then."""
    seen, fsync, rename = [], os.fsync, Path.rename

    def spy(descriptor):
        seen.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def renamed(path, target):
        seen.append(f"rename {path.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", spy)
    monkeypatch.setattr(Path, "rename", renamed)
    return seen


def mode(file):
    return stat.S_IMODE(file.stat().st_mode)


def test_a_whole_file_is_durable_before_it_has_its_name_and_its_name_afterwards(tmp_path, steps):
    write_whole(tmp_path / "a", b"one")
    assert steps == ["sync .a.part", "rename .a.part", f"sync {tmp_path.name}"]
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"one"


@pytest.mark.parametrize("wanted", [0o600, 0o640, 0o644])
def test_a_whole_file_has_the_mode_asked_for_whatever_the_umask(tmp_path, wanted):
    umask = os.umask(0o077)
    try:
        write_whole(tmp_path / "a", b"one", wanted, os.getgid())
    finally:
        os.umask(umask)
    assert mode(tmp_path / "a") == wanted


def test_what_one_that_was_killed_has_left_is_replaced_and_no_link_is_followed(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (tmp_path / ".a.part").symlink_to(tmp_path / "elsewhere")
    write_whole(tmp_path / "a", b"one")
    assert (tmp_path / "elsewhere").read_bytes() == b"mine"
    assert not (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("failure", [OSError(28, "full"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_where_writing_fails_what_was_there_stays_and_nothing_lies_beside_it(tmp_path, monkeypatch, failure):
    write_whole(tmp_path / "a", b"one")

    def fail(_):
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(failure)):
        write_whole(tmp_path / "a", b"two")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a", b"one")]


def test_a_new_file_is_its_owners_alone_and_never_takes_the_place_of_another(tmp_path, steps):
    write_new(tmp_path / "a", b"one")
    assert steps == ["sync a"]
    assert mode(tmp_path / "a") == 0o600
    (tmp_path / "b").symlink_to(tmp_path / "nowhere")
    for there in ("a", "b"):
        with pytest.raises(FileExistsError):
            write_new(tmp_path / there, b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert not (tmp_path / "nowhere").exists()


def test_a_new_file_may_be_named_within_a_folder_that_is_open(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    with new_file("a", within=folder) as stream:
        stream.write(b"one")
    os.close(folder)
    assert (tmp_path / "a").read_bytes() == b"one"


def test_more_is_written_to_the_end_and_durable(tmp_path, steps):
    for content in (b"one", b"two"):
        append(tmp_path / "a", content)
    assert (tmp_path / "a").read_bytes() == b"onetwo"
    assert steps == ["sync a", "sync a"]


def test_what_others_wrote_is_made_durable_with_its_mode(tmp_path, steps):
    file = tmp_path / "a"
    file.touch(0o644)
    sync_file(file)
    assert mode(file) == 0o644
    sync_file(file, 0o600)
    assert mode(file) == 0o600
    sync_folder(tmp_path)
    assert steps == ["sync a", "sync a", f"sync {tmp_path.name}"]
    (tmp_path / "b").symlink_to(file)
    with pytest.raises(OSError, match="b"):
        sync_file(tmp_path / "b")
    with pytest.raises(NotADirectoryError):
        sync_folder(file)


class Busy(Exception):
    """Somebody holds it."""


HOLD = """
import sys
from pathlib import Path
from common.durable import locked
with locked(Path(sys.argv[1])):
    print(flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["lock", ""], ids=["file", "folder"])
def test_a_lock_has_one_holder_of_all_processes_and_goes_with_it(tmp_path, name):
    place = tmp_path / name
    words = [sys.executable, "-c", HOLD, place]
    with subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(Busy), locked(place, Busy()):
            pytest.fail("two hold it")
        other.kill()
    with locked(place, Busy()), pytest.raises(Busy), locked(place, Busy()):  # nor twice within one process
        pytest.fail("two hold it")
    with locked(place, Busy()):
        pass


def test_what_is_raised_while_a_lock_is_held_is_not_taken_for_a_busy_one(tmp_path):
    with pytest.raises(BlockingIOError), locked(tmp_path, Busy()):
        raise BlockingIOError


def test_it_needs_no_package_and_nothing_of_ours():
    code = f"import sys; sys.path.append({str(PROJECT)!r}); import common.durable; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-IS", "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    assert ours == {"__main__", "common", "common.durable"}
