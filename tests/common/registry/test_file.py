"""The registry on disk: a new one is taken at once, a broken one closes the door."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from common.days import today
from common.durable import write_whole
from common.registry import version as registry_version
from common.registry.file import RegistryFile
from common.registry.registry import MOST_VERSION, RegistryRefused
from common.registry.version import keep_up, recall
from keys.registry.signature import sign_registry


@pytest.fixture
def file(tmp_path, registry_bytes):
    path = tmp_path / "registry.json"
    path.write_bytes(registry_bytes)
    return path


@pytest.fixture
def watched(file, root_key):
    return RegistryFile(file, root_key.public)


def put(file, content):
    """Put a new file in place as an operator would: written aside, then renamed."""
    part = file.with_suffix(".part")
    part.write_bytes(content)
    part.rename(file)


def test_it_is_read_once_while_nothing_changes(watched, registry):
    assert watched.current() == registry
    assert watched.current() is watched.current()


def test_a_new_one_is_taken_at_once(watched, file, registry, root_key):
    watched.current()
    newer = replace(registry, version=2, units=registry.units[1:])
    put(file, sign_registry(newer, root_key.file))
    assert watched.current() == newer


def test_a_new_one_of_the_same_size_and_time_is_taken_too(watched, file, registry, root_key):
    before = file.stat()
    assert watched.current().version == 1
    put(file, sign_registry(replace(registry, version=2), root_key.file))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert watched.current().version == 2


@pytest.mark.parametrize("broken", [b"", b"junk", "cut", "flipped", None])
def test_a_broken_one_closes_the_door_until_it_is_mended(watched, file, registry, registry_bytes, broken):
    watched.current()
    if broken is None:
        file.unlink()
    elif broken == "cut":
        put(file, registry_bytes[:-1])
    elif broken == "flipped":
        put(file, registry_bytes.replace(b"Test", b"Fest", 1))
    else:
        put(file, broken)
    for _ in range(3):
        with pytest.raises(RegistryRefused):
            watched.current()
    put(file, registry_bytes)
    assert watched.current() == registry


def test_many_threads_get_one_registry(watched, registry):
    got = []
    threads = [threading.Thread(target=lambda: got.append(watched.current())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [registry] * 20


def test_an_expired_one_is_used_for_the_days_of_grace_alone(file, registry, root_key):
    last = today() - timedelta(days=5)
    ended = replace(registry, issued=last - timedelta(days=9), expires=last)
    put(file, sign_registry(ended, root_key.file))
    assert RegistryFile(file, root_key.public, grace_days=5).current() == ended
    for days in (0, 4):
        with pytest.raises(RegistryRefused, match="expired on"):
            RegistryFile(file, root_key.public, grace_days=days).current()


def test_it_expires_while_it_is_held(watched, registry, monkeypatch):
    assert watched.current() == registry
    monkeypatch.setattr("common.registry.file.today", lambda: registry.expires + timedelta(days=1))
    with pytest.raises(RegistryRefused, match="expired on"):
        watched.current()


def test_the_newest_version_is_remembered_over_a_restart(file, registry, root_key, registry_bytes, tmp_path):
    remembered = tmp_path / "registry-version"
    newer = replace(registry, version=7)
    put(file, sign_registry(newer, root_key.file))
    assert RegistryFile(file, root_key.public, remembered).current().version == 7
    put(file, registry_bytes)
    with pytest.raises(RegistryRefused, match="older than 7"):
        RegistryFile(file, root_key.public, remembered).current()


def test_what_is_remembered_never_goes_down_whoever_notes_it_at_once(
    registry, root_key, tmp_path, monkeypatch
):
    """One worker has looked, and is about to note 11; another notes 12 meanwhile, as far as it is let."""
    remembered = tmp_path / "registry-version"
    versions = {number: replace(registry, version=number) for number in (10, 11, 12)}
    keep_up(versions[10], root_key.public, remembered)
    with ThreadPoolExecutor() as pool:
        others = []

        def another_comes_first(*noted):
            monkeypatch.setattr(registry_version, "write_whole", write_whole)
            others.append(pool.submit(keep_up, versions[12], root_key.public, remembered))
            until = time.monotonic() + 0.2
            while time.monotonic() < until and recall(remembered, root_key.public) == 10:
                pass  # without a lock the other is through within it
            write_whole(*noted)

        monkeypatch.setattr(registry_version, "write_whole", another_comes_first)
        keep_up(versions[11], root_key.public, remembered)
        others[0].result()
    assert recall(remembered, root_key.public) == 12
    with pytest.raises(RegistryRefused, match="older than 12"):
        keep_up(versions[11], root_key.public, remembered)


def test_the_last_version_that_a_thief_can_sign_does_not_spoil_the_next_root(registry, root_key, tmp_path):
    remembered, thief, next_root = tmp_path / "registry-version", root_key.public, b"n" * 32
    keep_up(replace(registry, version=MOST_VERSION), thief, remembered)
    with pytest.raises(RegistryRefused, match="older than"):
        keep_up(registry, thief, remembered)
    for version in (8, 9):
        keep_up(replace(registry, version=version), next_root, remembered)
    with pytest.raises(RegistryRefused, match="older than 9"):
        keep_up(replace(registry, version=8), next_root, remembered)


def test_a_version_that_was_noted_without_a_root_still_counts(registry, root_key, tmp_path):
    (tmp_path / "registry-version").write_text("7\n")
    with pytest.raises(RegistryRefused, match="older than 7"):
        keep_up(registry, root_key.public, tmp_path / "registry-version")
