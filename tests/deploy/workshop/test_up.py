"""`candour up` and `candour desk` with the real servers, as child processes."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy import data_folder
from deploy.run import gpg_agent, servers

pytestmark = pytest.mark.slow

PORTS = ("--source-port", "0", "--collection-port", "0", "--desk-port", "0")


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A `candour` command that serves, and what it printed up to being ready."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy", *arguments],
        env=os.environ | {"PYTHONPATH": str(servers.PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if "Ctrl-C stops" in line:
                break
        else:
            pytest.fail(process.stderr.read())
        try:
            yield process, printed
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=30)


def addresses(printed: str) -> list[str]:
    return re.findall(r"http://(?:localhost|127\.0\.0\.1):\d+\S*", printed)


def status(address: str) -> int:
    """What a browser of its own gets there, with its own cookies."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    try:
        with browser.open(address, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def command_lines() -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_serves_prints_where_to_go_and_stops_cleanly(tmp_path, copy_demo, number):
    data = tmp_path / "data"
    if number == signal.SIGTERM:
        copy_demo(data)  # otherwise it is made now
    with running("up", "--data", str(data), *PORTS) as (process, printed):
        source, link = addresses(printed)
        assert status(source) == 200
        assert "/enter/" in link
        assert status(link.split("/enter/", maxsplit=1)[0]) in (401, 403)
        assert f"./candour courier round --data {data}" in printed
        assert "no passphrase" in printed
        # Nowhere but on the screen.
        token = link.rsplit("/", 1)[1]
        assert not any(token in line for line in command_lines())
        assert not any(token.encode() in path.read_bytes() for path in data.rglob("*") if path.is_file())
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    for address in (source, link):
        with pytest.raises(urllib.error.URLError, match="refused"):
            status(address)
    assert not any("gpg-agent" in line and str(data) in line for line in command_lines())
    assert not any((data_folder.gnupg_home(data) / name).exists() for name in gpg_agent.SOCKETS)


@pytest.mark.quiet
def test_the_second_start_is_quick_and_keeps_what_is_there(tmp_path):
    data = tmp_path / "data"
    started = time.monotonic()
    with running("up", "--data", str(data), *PORTS):
        first = time.monotonic() - started
    registry = (data / "server" / "registry.json").read_bytes()
    started = time.monotonic()
    with running("up", "--data", str(data), *PORTS) as (_, printed):
        assert time.monotonic() - started < max(3, first / 2)  # on a busy machine both take longer
        assert len(addresses(printed)) == 2
    assert (data / "server" / "registry.json").read_bytes() == registry


def test_the_desk_runs_alone(tmp_path, copy_demo):
    data = tmp_path / "data"
    copy_demo(data)
    with running("desk", "--data", str(data), "--port", "0") as (_, printed):
        (link,) = addresses(printed)
        assert status(link) == 200
        assert status(link) in (401, 403, 404), "the link let in a second browser"


def test_a_second_up_on_the_same_folder_is_refused(tmp_path, copy_demo):
    data = tmp_path / "data"
    copy_demo(data)
    with running("up", "--data", str(data), *PORTS) as (_, printed):
        port = addresses(printed)[0].rsplit(":", 1)[1].strip("/")
        taken = ("--source-port", port, *PORTS[2:])
        second = subprocess.run(
            [sys.executable, "-P", "-m", "deploy", "up", "--data", str(data), *taken],
            env=os.environ | {"PYTHONPATH": str(servers.PROJECT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert second.returncode == 1
    assert "Another Candour is running" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_damaged_registry_stops_the_start_and_says_so(tmp_path, copy_demo):
    data = tmp_path / "data"
    copy_demo(data)
    path = data / "server" / "registry.json"
    path.write_bytes(path.read_bytes().replace(b"Demo", b"Fake"))
    refused = subprocess.run(
        [sys.executable, "-P", "-m", "deploy", "up", "--data", str(data), *PORTS],
        env=os.environ | {"PYTHONPATH": str(servers.PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode == 1
    assert "registry is refused" in refused.stderr
    assert "Traceback" not in refused.stderr
