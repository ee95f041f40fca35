"""Large reports: right beyond 4 GiB, and no more memory for a large file than for a small one."""

import subprocess
import sys
import zlib
from itertools import repeat

import pytest

from common.report import archive, zip64
from common.report.archive import Extract, FilePart, Tail
from common.report.padding import padded_size

pytestmark = pytest.mark.slow

MIB = bytes(1024 * 1024)

IN_FLAT_MEMORY = """
import resource, sys
from itertools import repeat
from common.conversation.derivation import conversation_secrets
from common.conversation.mailbox import ReplyKey
from common.conversation.links import Conversation
from common.days import today
from common.report import archive, report
from common.secret import Secret

secrets = conversation_secrets(Secret(bytes(32)))
conversation = Conversation(secrets.mailbox_key, ReplyKey(secrets.reply_seed).public())
made = report.Report("text", "test-unit", today(), True, conversation, "f" * 64, 0)

def write(mib):
    tail, size = archive.Tail(), 0
    for chunk in archive.write([archive.FilePart("a", repeat(bytes(1024 * 1024), mib))], lambda: made):
        tail.feed(chunk)
        size += len(chunk)
    assert archive.read(tail).files[0].size == mib * 1024 * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

few = write(30)
print(write(300) - few)
"""


@pytest.mark.quiet
def test_memory_stays_flat():
    """In a process of its own, whose peak is read after 30 MB (the tail is full then) and after 300 MB."""
    done = subprocess.run([sys.executable, "-c", IN_FLAT_MEMORY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 4 * 1024  # KiB


@pytest.mark.slow
def test_a_report_beyond_4_gib_is_written_read_and_taken_apart(a_report):
    """4.1 GiB of zeros, then a small file that begins beyond what 32 bits can say."""
    mib = 4200
    files = [FilePart("large", repeat(MIB, mib)), FilePart("small.txt", iter([b"beyond 4 GiB"]))]
    tail, size = Tail(), 0
    after_large = []  # what stands beyond the large file, to take the small one out of
    for chunk in archive.write(files, a_report):
        tail.feed(chunk)
        size += len(chunk)
        if size > mib * len(MIB):
            after_large.append(chunk)
    opened = archive.read(tail)
    assert size == padded_size(size) > 2**32
    assert [file.size for file in opened.files] == [mib * len(MIB), 12]
    out = bytearray()
    extract = Extract(tail, opened.files[1], out.extend)
    assert extract._start > 2**32
    extract._at = size - sum(map(len, after_large))  # the stream up to here is not its file's
    for chunk in after_large:
        extract.feed(chunk)
    extract.check()
    assert out == b"beyond 4 GiB"


@pytest.mark.parametrize("skipped", [2**31, 2**32 - 1, 2**32, 2**40])
def test_offsets_beyond_32_bits_are_kept_whole(a_report, skipped):
    """The directory's numbers, with an entry whose content is only said to be there."""
    packed = zip64.ZipWriter()
    packed.begin("large")
    packed.written += skipped
    packed._size = skipped
    packed.end()
    name = "small"
    start = packed.written
    end = packed.begin(name) + packed.content(b"x") + packed.end() + packed.finish()
    tail = Tail()
    tail.feed(end)
    tail.size = packed.written
    with tail.archive() as opened:
        assert opened.getinfo("large").file_size == skipped
        assert opened.getinfo(name).header_offset == start
        assert opened.read(name) == b"x"
        assert zlib.crc32(b"x") == opened.getinfo(name).CRC
