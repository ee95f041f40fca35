"""Both services of the host's torrc on the private network: who reaches them, and when that changes."""

import re
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli import candour
from deploy.doctor.finding import Finding, State
from deploy.onions import couriers, gate, torrc
from deploy.onions.health import examine_tor
from deploy.onions.lock import key_nobody_holds
from deploy.workshop.testnet.network import Network
from deploy.workshop.testnet.tor import Tor
from tests.deploy.onions.conftest import ANSWER, NO_KEY, REACHED, SOCKS, WRONG_KEY, call


@pytest.fixture(scope="module")
def stranger(tor_network: Network):
    tor = tor_network.join("stranger", [SOCKS])
    yield tor
    tor.stop()


def test_anybody_reaches_the_source_and_its_circuit_is_named(host, stranger):
    for _ in range(2):
        assert call(stranger, host.address(torrc.SOURCE)) == (REACHED, ANSWER)
    first, second = (line.split() for line in host.heard[torrc.SOURCE])
    assert first[0] == b"PROXY"
    assert first[2].startswith(b"fc00:dead:beef:4dad:")
    assert first[2] == second[2], "one circuit has one name"


def test_a_client_without_a_key_cannot_reach_the_collection(host, stranger):
    assert call(stranger, host.address(torrc.COLLECTION)) == (NO_KEY, b"")
    assert host.heard[torrc.COLLECTION] == []


def enrolled(folder: Path, address: str) -> tuple[list[str], str, str]:
    """The torrc lines of a courier enrolled by the command, and the words of the operator's command."""
    settings = folder / "courier" / "courier.toml"
    words = [
        "courier",
        "enrol",
        address,
        "--unit",
        "west-unit",
        "--name",
        "west-1",
        "--config",
        str(settings),
    ]
    done = CliRunner().invoke(candour, words)
    assert done.exit_code == 0, done.output
    name, line = re.findall(r"candour deploy admit (\S+) (\S+)$", done.output, re.MULTILINE)[0]
    lines = (folder / "courier/torrc").read_text().splitlines()
    kept = [text for text in lines if not text.startswith(("#", "DataDirectory", "SocksPort"))]
    return [*kept, SOCKS], name, line


def test_admitting_and_dismissing_a_courier_counts_without_a_restart(host, tor_network, tmp_path):
    address = host.address(torrc.COLLECTION)
    lines, name, line = enrolled(tmp_path, address)
    host_id = host.tor.pid

    def try_to_call(tor_name: str) -> int:
        client = tor_network.join(tor_name, lines)
        try:
            return call(client, address)[0]
        finally:
            client.stop()

    assert try_to_call("courier-before") == WRONG_KEY
    gate.admit_here(name, line, host.onions, host.tor.control_socket)
    assert try_to_call("courier-admitted") == REACHED
    gate.dismiss_here(name, host.onions, host.tor.control_socket)
    assert try_to_call("courier-dismissed") == WRONG_KEY
    assert host.tor.pid == host_id
    assert not host.tor.ended


def test_several_admitted_one_right_after_another_all_count(host):
    with host.tor.controller() as controller:
        for number in range(3):
            couriers.admit(host.onions, f"several-{number}", key_nobody_holds())
            assert couriers.reload(controller, host.onions, 30) > 0


def said(findings: list[Finding], state: State) -> str:
    return "\n".join(finding.text for finding in findings if finding.state is state)


def test_the_doctor_finds_the_hosts_onions_good(host):
    findings = list(examine_tor(host.tor.control_socket))
    assert {finding.state for finding in findings} == {State.GOOD}, findings
    good = said(findings, State.GOOD)
    for service in (torrc.SOURCE, torrc.COLLECTION):
        assert f"The {service} onion is published: {host.address(service)}" in good
    assert "asks for proof of work" in good
    assert "with a courier's key only" in good
    assert "The clock agrees" in good


@pytest.fixture
def careless(tor_network: Network, tmp_path):
    """A tor whose services hide nothing, lack every defence, and let everybody in."""
    lines = ["HiddenServiceSingleHopMode 1", "HiddenServiceNonAnonymousMode 1", "VanguardsLiteEnabled 0"]
    for service in (torrc.SOURCE, torrc.COLLECTION):
        lines += [f"HiddenServiceDir {tmp_path / service}", "HiddenServicePort 80 127.0.0.1:9"]
    tor = tor_network.join("careless", lines)
    for service in (torrc.SOURCE, torrc.COLLECTION):
        tor.wait_until_published((tmp_path / service / "hostname").read_text().strip())
    yield tor
    tor.stop()


def test_the_doctor_names_each_fault_of_careless_onions(careless):
    findings = list(examine_tor(careless.control_socket))
    wrong = said(findings, State.WRONG)
    for fault in (
        "do not hide where they are (HiddenServiceSingleHopMode, HiddenServiceNonAnonymousMode)",
        "Vanguards-lite is off",
        "source onion is without HiddenServicePoWDefensesEnabled, HiddenServiceEnableIntroDoSDefense, Hidden",
        "HiddenServiceExportCircuitID, HiddenServicePort 80 unix:",
        "source onion's descriptor asks for no proof of work",
        "collection onion is without HiddenServiceEnableIntroDoSDefense, HiddenServicePort",
        "Anybody can reach the collection onion",
    ):
        assert fault in wrong
    assert all(finding.remedy for finding in findings if finding.state is State.WRONG)


def test_the_doctor_says_that_a_tor_serves_others_and_has_no_onions(stranger):
    wrong = said(list(examine_tor(stranger.control_socket)), State.WRONG)
    assert "This tor serves others too (SocksPort)" in wrong
    assert "There is no source onion" in wrong
    assert "There is no collection onion" in wrong


def test_the_doctor_does_not_wait_for_a_tor_without_a_network(tmp_path):
    torrc.make_folders(tmp_path)
    changed = threading.Condition()
    lines = ["DisableNetwork 1", *torrc.moved_lines(tmp_path)]
    tor = Tor("alone", tmp_path / "alone", tmp_path / "control", lines, changed)
    tor.start()
    try:
        with changed:
            assert changed.wait_for(lambda: tor.phase.startswith("0 %"), 20)
        findings = list(examine_tor(tor.control_socket))
    finally:
        tor.stop()
    assert "Tor is not connected to its network yet" in said(findings, State.WRONG)
    unknown = said(findings, State.WARNING)
    assert "source onion is published cannot be told" in unknown
    assert "collection onion is published cannot be told" in unknown
    assert "knows no hour" in unknown
    assert "The source onion has its defences" in said(findings, State.GOOD)


def test_the_doctor_says_that_there_is_no_tor(tmp_path):
    (finding,) = examine_tor(tmp_path / "control")
    assert finding.state is State.WRONG
    assert str(tmp_path / "control") in finding.remedy
