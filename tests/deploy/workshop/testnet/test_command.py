"""`candour testnet`, as a person runs it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stem.control import Controller

from deploy.run import servers
from deploy.workshop.testnet.network import AUTHORITIES, RELAYS
from tests.deploy.workshop.testnet.processes import pidfds, tors_of, wait_for_ends

pytestmark = pytest.mark.tor


def test_it_is_up_within_30_seconds_says_how_to_use_it_and_leaves_nothing_running(tmp_path):
    folder = tmp_path / "net"
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy", "testnet", "--folder", str(folder)],
        env=servers.base_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        try:
            assert command.stdout is not None
            printed = ""
            for line in command.stdout:
                printed += line
                if "Ctrl-C stops" in line:
                    break
            busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # how many want each core
            assert time.monotonic() - started < 30 * busy
            assert re.search(r"\n    127\.0\.0\.1:\d+\n", printed), printed
            paths = [Path(found) for found in re.findall(r"/tmp/candour-\S+", printed)]
            assert [path.name for path in paths] == ["client", "services"]
            for path in paths:
                with Controller.from_socket_file(str(path)) as controller:
                    controller.authenticate()
                    assert controller.get_info("status/circuit-established") == "1"
            with pidfds(tors_of(folder)) as ends:
                assert len(ends) == AUTHORITIES + RELAYS + 2
                command.send_signal(signal.SIGTERM)
                command.wait(timeout=30)
                wait_for_ends(ends, 0)
        finally:
            command.terminate()
            _, said = command.communicate(timeout=30)
    assert (command.returncode, said.splitlines()[-1]) == (0, "Stopping.")
    assert not paths[0].parent.exists()
    assert (folder / "authority1.log").exists()
