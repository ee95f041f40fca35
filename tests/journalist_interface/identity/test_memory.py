"""What two holders typed and opened is in no process's memory any more, as soon as it was shown."""

import html
import os
import re
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from common.registry.holders import HOLDERS, open_box, together
from tests.journalist_interface.identity.conftest import REACH

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[3]


def below(pid: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from below(int(child))


def memory_of(pid: int) -> Iterator[bytes]:
    """All that a process can write to, part by part."""
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            where, may, *_ = line.split()
            begin, end = (int(number, 16) for number in where.split("-"))
            if "w" in may and "[v" not in line:
                memory.seek(begin)
                yield memory.read(end - begin)


def found_in(pid: int, needles: dict[str, bytes]) -> set[str]:
    return {name for part in memory_of(pid) for name, needle in needles.items() if needle in part}


@pytest.fixture
def desk(settings):
    """The desk as it runs in life, and its one-time link."""
    command = [sys.executable, "-m", "deploy", "desk", "--identity", str(settings.parent), "--port", "0"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if "Ctrl-C" in line:
                break
        try:
            [link] = re.findall(r"http://\S+/enter/\S+", printed)
            yield process, link
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


class Caller:
    """A browser that keeps no connection."""

    def __init__(self, link: str) -> None:
        self.base = link.partition("/enter/")[0]
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.first = self.ask(link)

    def ask(self, address: str, fields: dict[str, str] | None = None) -> str:
        sent = urllib.parse.urlencode(fields).encode() if fields is not None else None
        try:
            with self._opener.open(urllib.parse.urljoin(self.base, address), sent, timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return str(error.read().decode())


def fields_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


def test_what_was_typed_and_opened_is_in_no_process_once_it_was_shown(desk, ask, given, identity_keys):
    ask()
    process, link = desk
    caller = Caller(link)
    [address] = re.findall(r'href="(/requests/[^"]+)"', caller.first)
    (ada, hers), (ben, his), _ = given
    boxes = [
        open_box((identity_keys.folder / HOLDERS / f"{name}.json").read_bytes(), name, phrase)
        for name, phrase in given[:2]
    ]
    needles = {
        "the key's passphrase": together(*boxes).reveal(),
        "the share of one": boxes[0].share.reveal()[-60:],
        "the share of the other": boxes[1].share.reveal()[-60:],
        "the passphrase of one": hers.encode(),
        "the passphrase of one, in a form": hers.replace(" ", "+").encode(),
        "the passphrase of the other": his.encode(),
        "the passphrase of the other, in a form": his.replace(" ", "+").encode(),
        "a wrong one": b"Halcyon-Underpass",
        "the details": b"07700 900123",
    }
    typed = {"why": "danger", "name1": ada, "passphrase1": hers, "name2": ben, "passphrase2": his}
    page = caller.ask(address)
    for wrong in (True, False):
        caller.ask("/")  # which a worker has answered, once there is one again
        *_, worker = below(process.pid)
        ended = select.poll()
        descriptor = os.pidfd_open(worker)
        ended.register(descriptor, select.POLLIN)
        sent = fields_of(page) | typed | ({"passphrase2": "Halcyon-Underpass"} if wrong else {})
        page = caller.ask(f"{address}/open", sent)
        assert ended.poll(20_000), "the worker goes on"
        os.close(descriptor)
        # The page that it showed last works with the one that follows, and so does the session.
        assert ("The passphrase of ben is another" in page) == wrong
        assert (REACH in html.unescape(page)) == (not wrong)
    assert "by ada and ben" in caller.ask("/")

    names = {pid: found_in(pid, needles | {"this": b"journalist_interface"}) for pid in below(process.pid)}
    assert len(names) >= 3  # who started it, the master, and the worker of now
    assert set.union(*names.values()) == {"this"}, names
