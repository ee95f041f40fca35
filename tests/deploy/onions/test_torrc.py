"""The services that tests run are those of the host's torrc, and tor refuses to make them single-hop."""

import subprocess
from pathlib import Path

from deploy.onions import torrc

SINGLE_HOP = ("HiddenServiceSingleHopMode 1", "HiddenServiceNonAnonymousMode 1")


def verified(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What tor says of the moved lines, and of more."""
    file = folder / "torrc"
    file.write_text("\n".join([f"DataDirectory {folder}", *torrc.moved_lines(folder), *more, ""]))
    words = ["tor", "-f", str(file), "--defaults-torrc", str(folder / "none"), "--verify-config"]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)


def test_every_line_of_a_service_is_the_hosts_own(tmp_path):
    own = [line for line in torrc.TORRC.read_text().splitlines() if line.startswith("HiddenService")]
    moved = [line for line in torrc.moved_lines(tmp_path) if line.startswith("HiddenService")]
    assert [line.split()[0] for line in moved] == [line.split()[0] for line in own]
    same = [line for line in own if line in moved]
    assert len(own) - len(same) == 4, "only two folders and two targets differ"
    assert f"HiddenServiceDir {tmp_path}/source" in moved
    assert f"HiddenServicePort 80 unix:{tmp_path}/candour-collection/http.sock" in moved
    assert not any("/var" in line or "/run" in line for line in moved if str(tmp_path) not in line)


def test_the_defences_are_on(tmp_path):
    lines = torrc.moved_lines(tmp_path)
    source, collection = (
        lines.index(f"HiddenServiceDir {tmp_path}/{name}") for name in ("source", "collection")
    )
    assert "VanguardsLiteEnabled 1" in lines
    for wanted in ("HiddenServicePoWDefensesEnabled 1", "HiddenServiceExportCircuitID haproxy"):
        assert wanted in lines[source:collection]
    for service in (lines[source:collection], lines[collection:]):
        assert "HiddenServiceEnableIntroDoSDefense 1" in service
        assert "HiddenServiceMaxStreamsCloseCircuit 1" in service


def test_tor_takes_the_lines_and_refuses_either_half_of_single_hop(tmp_path):
    assert "Configuration was valid" in verified(tmp_path).stdout
    for half in SINGLE_HOP:
        refused = verified(tmp_path, half)
        assert refused.returncode != 0
        assert "does not provide any server anonymity" in refused.stdout
    assert not any(line.startswith(SINGLE_HOP[0].split()[0]) for line in torrc.moved_lines(tmp_path))
