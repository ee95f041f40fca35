"""What is saved is on no disk but sealed, and costs no memory."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import update

from common.store.models import EnvelopeRow
from deploy.backup.layout import in_data_folder
from deploy.run.servers import PROJECT

pytestmark = pytest.mark.slow

MB = 1024 * 1024


class Watcher:
    """Reads everything that appears in some folders for as long as something else goes on."""

    def __init__(self, folders, secrets):
        self._folders, self._secrets = folders, secrets
        self._over = threading.Event()
        self.looks, self.found = 0, []
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while True:
            last = self._over.is_set()
            self.look()
            if last:
                return

    def look(self):
        self.looks += 1
        for path in (path for folder in self._folders for path in folder.rglob("*")):
            try:
                content = path.read_bytes() if path.is_file() else b""
            except OSError:
                continue
            self.found += [f"{name} in {path}" for name, secret in self._secrets.items() if secret in content]


def candour(*words, tmp):
    return subprocess.run(
        [sys.executable, "-P", "-m", "deploy", *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(PROJECT), "TMPDIR": str(tmp)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_neither_pepper_nor_row_nor_onion_key_is_in_any_file_but_its_own(
    host, open_layout, put, operator, tmp_path, rows_of
):
    store = open_layout(host)
    for _ in range(600):
        put(store, b"sealed")
    away, tmp = tmp_path / "away", tmp_path / "tmp"
    away.mkdir()
    tmp.mkdir()
    secrets = {
        "pepper": (host.settings / "pepper").read_bytes(),
        "onion key": (host.onions / "source" / "hs_ed25519_secret_key").read_bytes()[32:],
        "tag": rows_of(host)["envelope"][300][1],
        "reply": rows_of(host)["reply"][300][1][:64],
        "id": rows_of(host)["envelope"][300][0].encode(),
    }
    with Watcher([away, tmp, Path("/dev/shm")], secrets) as watcher:
        words = ["--root", host.root, "--to", away, "--recipient", operator.certificate]
        saved = candour("backup", *words, tmp=tmp)
    assert saved.returncode == 0, saved.stderr
    assert watcher.looks > 3
    assert watcher.found == []
    assert list(tmp.iterdir()) == []
    assert len(list(away.iterdir())) == 1
    assert not any(secret in saved.stdout.encode() + saved.stderr.encode() for secret in secrets.values())
    planted = away / "planted"  # it would have been found
    planted.write_bytes(b"x" + secrets["pepper"])
    watcher.look()
    assert watcher.found == [f"pepper in {planted}"]


@pytest.mark.quiet
def test_memory_does_not_grow_with_an_envelope(demo, open_layout, put, operator, tmp_path):
    """Peak memory of saving and restoring an envelope of 400 MB, beside doing so without it."""
    store = open_layout(demo)
    tmp = tmp_path / "tmp"
    tmp.mkdir()

    def peak(name):
        shown = {}
        for command, words in (
            (
                "backup",
                [
                    "--data",
                    demo.settings.parent,
                    "--to",
                    tmp_path / name,
                    "--recipient",
                    operator.certificate,
                ],
            ),
            (
                "restore",
                ["--data", tmp_path / f"{name}-back", "--from", tmp_path / name, "--gnupg", operator.gnupg],
            ),
        ):
            script = (
                "import resource, sys; from deploy.cli import candour; candour(sys.argv[1:], standalone_mode=False);"
                "who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN);"
                "print(*(resource.getrusage(one).ru_maxrss for one in who))"
            )
            done = subprocess.run(
                [sys.executable, "-P", "-c", script, command, *map(str, words)],
                env=os.environ | {"PYTHONPATH": str(PROJECT), "TMPDIR": str(tmp)},
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
            )
            shown[command] = sum(map(int, done.stdout.splitlines()[-1].split())) / 1024
        return shown

    without = peak("small")
    large = put(store, b"")
    with store.blobs._path(large).open("r+b") as blob:
        blob.truncate(400 * MB)  # a hole, which is read as zeros
    with store.writing() as connection:
        connection.execute(update(EnvelopeRow).where(EnvelopeRow.id == large).values(padded_size=400 * MB))
    with_it = peak("large")
    back = in_data_folder(tmp_path / "large-back")
    assert (back.blobs / large[:2] / large).stat().st_size == 400 * MB
    for command in without:
        assert with_it[command] < without[command] + 24, (without, with_it)
