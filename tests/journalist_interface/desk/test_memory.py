"""A large file goes through the desk in constant memory: imported, read and saved."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.quiet

MEGABYTE = bytes(range(256)) * 4096
MEGABYTES = 300

_WORK = """
import sys
from pathlib import Path
from journalist_interface.desk.opening import saved_files
from journalist_interface.desk.app import create_app
from journalist_interface.desk.stick.bundle_import import import_all
from journalist_interface.desk.opening.display import show_message

app = create_app(sys.argv[1], 8083)
desk = app.extensions["candour"]

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

before = peak()
assert import_all(desk).looked.opened == 1
message = show_message(desk, sys.argv[2])
saved = saved_files.save(desk, desk.cabinet.envelopes.get(sys.argv[2]), 1)
print(peak() - before, saved.file.sha256, saved.path)
"""


def peak_growth(world, megabytes):
    """How much (kB) the desk's memory grew at its peak while a file went through it."""
    sealed = world.seal(world.reporter(), "x", [("film.mp4", (MEGABYTE for _ in range(megabytes)))])
    world.bundle(sealed)
    name = sealed.name
    sealed.unlink()
    done = subprocess.run(
        [sys.executable, "-c", _WORK, str(world.settings), name],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    grown, digest, path = done.stdout.split()
    expected = hashlib.sha256()
    for _ in range(megabytes):
        expected.update(MEGABYTE)
    assert digest == expected.hexdigest()
    with Path(path).open("rb") as stream:
        assert hashlib.file_digest(stream, "sha256").hexdigest() == digest
    return int(grown)


def test_a_file_of_300_megabytes_takes_far_less_memory_than_it_is_long(world):
    # The end of the stream, up to 24 MiB of it, and short-lived copies of it: 130 to 150 MB, for 40 or 900 alike.
    assert peak_growth(world, MEGABYTES) < 200 * 1024
