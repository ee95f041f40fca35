"""What runner.py uses of python-gnupg's private parts: an upgrade that changes it fails here, and not in a drop."""

import hashlib
import inspect
import io
import re
from pathlib import Path

import gnupg
import pytest

from common.gpg import runner
from common.gpg.runner import Gpg, tool

PROJECT = Path(__file__).parents[3]
ROOMS = ("common", "source_interface", "journalist_interface", "keys", "deploy")
READ = {  # what was read, of version 0.5.7
    "__init__": "fd90f38c9a13068c",
    "_collect_output": "beac0ff748f2532d",
    "_handle_io": "7406345a032dc48f",
    "_open_subprocess": "49ce250fa3e8b611",
    "_read_response": "2e8e99f2408c3cd8",
    "decrypt_file": "cb1b0c8b88554434",
    "make_args": "6b4fa7103903bbd0",
}


@pytest.mark.parametrize("name", READ)
def test_what_is_built_on_is_what_was_read(name):
    """Where this fails, read what has changed, mend runner.py, and only then write down the new digest."""
    source = inspect.getsource(getattr(gnupg.GPG, name))
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == READ[name]


def test_one_module_knows_python_gnupg():
    inside = [name for name in READ if name not in ("__init__", "decrypt_file")]
    known = re.compile(rf"^(import|from) gnupg\b|\b({'|'.join(inside)})\b", re.MULTILINE)
    files = [file for room in ROOMS for file in (PROJECT / room).rglob("*.py")]
    assert [file for file in files if known.search(file.read_text("utf-8"))] == [Path(runner.__file__)]


class Counted(Gpg):
    """Counts what python-gnupg comes to of ours."""

    def __init__(self, *args, **named):
        self.lines, self.commands = 0, []
        super().__init__(*args, **named)

    def start(self, args, *rest, **named):
        self.commands.append(self.make_args(args, *rest))
        return super().start(args, *rest, **named)

    def status_lines(self, stream):
        self.lines += 1
        return stream


def test_python_gnupg_starts_each_gpg_by_our_command_line_and_reads_status_lines_from_us(short_folder):
    gpg = tool(short_folder(), ["--lock-never"], Counted)
    assert (len(gpg.commands), gpg.lines) == (1, 1)  # it asks for the version
    result = gpg.decrypt_file(io.BytesIO(b"nothing that was sealed"), passphrase="mine")
    assert "no data" in result.status
    assert (len(gpg.commands), gpg.lines) == (2, 2)
    opening = gpg.commands[1]
    assert opening[:4] == ["gpg", "--homedir", gpg.gnupghome, "--batch"]
    assert {"--no-options", "--no-auto-check-trustdb", "--lock-never", "--passphrase-fd"} < set(opening)
    assert opening[opening.index("--pinentry-mode") + 1] == "loopback"
    assert "mine" not in opening


def test_where_gpg_ends_before_its_input_its_own_reason_is_told(short_folder):
    class Endless:
        def read(self, size):
            return bytes(size)

    result = tool(short_folder(), [], Gpg).decrypt_file(Endless(), extra_args=["--no-such-option"])
    assert not result.ok
    assert result.returncode == 2
