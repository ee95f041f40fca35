"""gpg that gets nowhere is ended with whatever it started; what is slow for a good reason is not."""

import io
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from common.gpg.opening import Opener, OpeningFailed, Unopened, watchdog
from common.gpg.opening.watchdog import Watch
from common.gpg.runner import gpg_environment
from common.gpg.sealing import Sealer

pytestmark = pytest.mark.slow

SOON = 15  # seconds, on a busy machine


@pytest.fixture
def sealed(unit_keys, tmp_path):
    return Sealer(tmp_path / "home").seal_in_memory(b"words", [unit_keys.folder / "certificate.asc"])


@pytest.fixture
def sleeper():
    """What does nothing for an hour, in a process group of its own."""
    process = subprocess.Popen(["sleep", "3600"], process_group=0)
    yield process
    process.kill()
    process.wait()


def stand_in(folder, monkeypatch, commands):
    """A gpg that does this instead of opening something."""
    folder.mkdir()
    real = shutil.which("gpg")
    (folder / "gpg").write_text(f'#!/bin/sh\ncase "$*" in *--unwrap*) {commands};; esac\nexec {real} "$@"\n')
    (folder / "gpg").chmod(0o700)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def refused_as_stuck(opener, sealed, **more):
    start = time.monotonic()
    with pytest.raises(OpeningFailed) as failure:
        opener.open(io.BytesIO(sealed), lambda _: None, **more)
    assert failure.value.reason is Unopened.STUCK
    assert time.monotonic() - start < SOON


def test_gpg_that_makes_no_progress_is_ended(unit_keys, sealed, monkeypatch):
    """The real one, whose agent answers nothing."""
    monkeypatch.setattr(watchdog, "PATIENCE", 0.5)
    home = unit_keys.folder / "gnupg"
    ask = ["gpg-connect-agent", "--homedir", home, "GETINFO pid", "/bye"]
    told = subprocess.run(ask, capture_output=True, check=True, text=True, env=gpg_environment()).stdout
    agent = int(told.split()[1])
    os.kill(agent, signal.SIGSTOP)
    try:
        refused_as_stuck(Opener(home), sealed)
    finally:
        os.kill(agent, signal.SIGCONT)
    monkeypatch.undo()
    Opener(home).open(io.BytesIO(sealed), lambda _: None)


def test_what_gpg_started_ends_with_it(unit_keys, sealed, tmp_path, monkeypatch):
    monkeypatch.setattr(watchdog, "PATIENCE", 0.5)
    stand_in(tmp_path / "bin", monkeypatch, f"sleep 3600 <&- >&- 2>&- & echo $! > {tmp_path}/child; wait")
    refused_as_stuck(Opener(unit_keys.folder / "gnupg"), sealed)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + SOON
    while _runs(child) and time.monotonic() < deadline:
        os.sched_yield()
    assert not _runs(child)


def _runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_gpg_that_talks_without_end_is_ended(unit_keys, sealed, tmp_path, monkeypatch):
    stand_in(tmp_path / "bin", monkeypatch, "exec yes '[GNUPG:] PROGRESS' >&2")
    refused_as_stuck(Opener(unit_keys.folder / "gnupg"), sealed)


def test_the_time_of_others_is_not_gpgs(sleeper):
    """A slow disk, a slow stick and another gpg that pulls may take as long as they like."""
    with Watch(patience=0.3) as watching:
        with watching.elsewhere():
            watching.begin(sleeper)
            with pytest.raises(subprocess.TimeoutExpired):
                sleeper.wait(1)
        assert sleeper.wait(SOON) == -signal.SIGKILL
    assert watching.stopped_it


def test_what_hands_out_much_may_take_long(sleeper):
    with Watch(patience=0.1) as watching:
        watching.note_handed_out(64 * 1024**2)
        watching.begin(sleeper)
        with pytest.raises(subprocess.TimeoutExpired):
            sleeper.wait(1)
    assert not watching.stopped_it


def test_whoever_leaves_early_leaves_no_gpg_behind(sleeper):
    with pytest.raises(KeyboardInterrupt), Watch(patience=60) as watching:
        watching.begin(sleeper)
        raise KeyboardInterrupt
    assert sleeper.wait(SOON) == -signal.SIGKILL
    assert not watching.stopped_it


def test_a_person_has_minutes_and_nobody_else_has(unit_keys, sealed, monkeypatch):
    given = []
    real = Watch.__init__

    def noting(self, patience):
        given.append(patience)
        real(self, patience)

    monkeypatch.setattr(Watch, "__init__", noting)
    opener = Opener(unit_keys.folder / "gnupg")
    for ask in (False, True):
        opener.open(io.BytesIO(sealed), lambda _: None, ask=ask)
    assert given == [watchdog.PATIENCE, watchdog.PATIENCE_WITH_A_PERSON]
    assert watchdog.PATIENCE_WITH_A_PERSON >= 300
