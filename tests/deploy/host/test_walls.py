"""AppArmor's profiles, the firewall and the torrc, each read by the program that it is for."""

import re
import subprocess

import pytest

from deploy.host import steps

PROFILES = steps.TREE / "etc/apparmor.d/candour"
FIREWALL = steps.TREE / "etc/candour/firewall.nft"
TORRC = steps.TREE / "etc/tor/instances/candour/torrc"
USERS = {
    "candour-source": 2001,
    "candour-collection": 2002,
    "_tor-candour": 2003,
    "systemd-timesync": 2004,
    "_apt": 42,
}


def run(*words, **named):
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30, **named)


# -- AppArmor ----------------------------------------------------------------------------------------------


def compile_profiles(file):
    return run("apparmor_parser", "--skip-kernel-load", "--skip-cache", "--skip-read-cache", str(file))


def test_apparmor_takes_the_profiles_that_the_units_name():
    said = compile_profiles(PROFILES)
    assert said.returncode == 0, said.stderr
    named = set(re.findall(r"^profile (\S+)", PROFILES.read_text(), re.MULTILINE))
    units = "".join(
        file.read_text() for file in (steps.TREE / "etc/systemd/system").glob("candour-*.service")
    )
    assert (
        set(re.findall(r"^AppArmorProfile=(\S+)$", units, re.MULTILINE))
        == named
        == {"candour-source", "candour-collection"}
    )


def test_apparmor_would_refuse_a_slip(tmp_path):
    slipped = tmp_path / "slipped"
    slipped.write_text(PROFILES.read_text().replace("deny ptrace,", "deny ptrase,"))
    assert compile_profiles(slipped).returncode != 0


def test_the_collection_s_profile_lets_it_write_the_inbox_alone_and_reach_neither_database_nor_pepper():
    rules = PROFILES.read_text().partition("profile candour-collection")[2]
    assert "gpg" not in rules
    for denied in (
        "deny /etc/candour/pepper rwlkm,",
        "deny /var/lib/candour/database{,/,/**} rwlkm,",
        "deny /var/lib/candour/outbox/** w,",
        "deny /var/lib/candour/blobs/** w,",
    ):
        assert denied in rules
        rules = rules.replace(denied, "")
    assert "/pepper" not in rules
    given = dict(re.findall(r"^ +(/var/lib/candour/\S+) (\S+),$", rules, re.MULTILINE))
    assert {path for path, rights in given.items() if rights != "r"} == {"/var/lib/candour/inbox/**"}
    assert given["/var/lib/candour/inbox/**"] == "rwk", "no link to a file elsewhere"
    assert "/var/lib/candour/blobs/[0-9a-f][0-9a-f]/[0-9a-f]*" in given, "a blob by its name, and no folder"
    assert not [path for path in given if path.startswith("/var/lib/candour/blobs") and path.endswith("/")]


# -- the firewall ------------------------------------------------------------------------------------------

IN_ITS_OWN_NETWORK = """
set -e
nft -f "$1"
nft -f "$1"  # loading again replaces
nft list table inet candour
"""
# A user's datagram to the loopback: what the wall drops is refused with EPERM.
SEND = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS: up, netdevice(7)
os.setuid(int(sys.argv[1]))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:  # it belongs to who opens it
    try:
        one.sendto(b"x", ("127.0.0.1", 9))
    except PermissionError:
        sys.exit(77)
"""
GET_OUT = """\
meta skuid { 2001, 2002 } drop
oif "lo" accept
ct state established,related accept
meta skuid 2003 meta l4proto tcp accept
meta skuid 42 tcp dport { 53, 80, 443 } accept
meta skuid 42 udp dport 53 accept
meta skuid 2004 udp dport { 53, 123 } accept
meta skuid 2004 tcp dport 53 accept
meta skuid @fetching tcp dport { 53, 443 } accept
meta skuid @fetching udp dport 53 accept
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """The rules with numbers for users that this machine need not have, and no file of any host's."""
    folder = tmp_path_factory.mktemp("firewall")
    (folder / "ssh.nft").write_text("add element inet candour ssh_from4 { 198.51.100.7 }\n")
    text = FIREWALL.read_text().replace("/etc/candour/firewall.d", str(folder))
    for name, number in USERS.items():
        assert f'"{name}"' in text
        text = text.replace(f'"{name}"', str(number))
    file = folder / "firewall.rules"
    file.write_text(text)
    return file


def test_the_firewall_loads_drops_by_default_and_takes_the_address_for_ssh(as_root, rules):
    said = run("unshare", "--net", "sh", "-c", IN_ITS_OWN_NETWORK, "sh", str(rules))
    assert said.returncode == 0, said.stderr
    for hook in ("input", "forward", "output"):
        assert f"hook {hook} priority filter; policy drop;" in said.stdout
    assert "elements = { 198.51.100.7 }" in said.stdout


def test_tor_s_user_is_the_only_one_out_but_for_updates_and_the_time(as_root, rules):
    said = run("unshare", "--net", "sh", "-c", IN_ITS_OWN_NETWORK, "sh", str(rules))
    out = said.stdout.partition("chain out {")[2].partition("policy drop;")[2].partition("icmpv6")[0]
    assert [line.strip() for line in out.split("\n") if line.strip()] == GET_OUT.splitlines()
    fetching = said.stdout.partition("set fetching {")[2].partition("}")[0]
    assert "elements" not in fetching, "root does not get out either"


@pytest.mark.parametrize(
    ("user", "goes"), [("candour-source", False), ("candour-collection", False), ("_tor-candour", True)]
)
def test_not_even_loopback_carries_a_word_of_the_web_users(as_root, rules, user, goes):
    sending = IN_ITS_OWN_NETWORK + 'shift; exec /usr/bin/python3 -c "$@"'
    said = run("unshare", "--net", "sh", "-c", sending, "sh", str(rules), SEND, str(USERS[user]))
    assert said.returncode == (0 if goes else 77), said.stderr


# -- tor ---------------------------------------------------------------------------------------------------


def options():
    lines = (line.partition("#")[0].split(maxsplit=1) for line in TORRC.read_text().splitlines())
    return [(line[0], line[1].strip() if len(line) > 1 else "") for line in lines if line]


def test_tor_takes_the_torrc(tmp_path):
    text = TORRC.read_text()
    for place in ("/var/lib/tor-instances/candour", "/run/tor-instances/candour"):
        (tmp_path / place.lstrip("/")).mkdir(mode=0o700, parents=True)
        text = text.replace(place, f"{tmp_path}{place}")
    torrc = tmp_path / "torrc"
    torrc.write_text(text)
    said = run("tor", "--defaults-torrc", "/dev/null", "-f", str(torrc), "--verify-config")
    assert said.returncode == 0, said.stdout
    warned = [line for line in said.stdout.splitlines() if "[warn]" in line and "as root" not in line]
    assert warned == []


def test_tor_is_nobody_s_proxy_and_never_a_single_hop():
    told = options()
    assert ("SocksPort", "0") in told
    assert ("ClientOnly", "1") in told
    names = {name.lower() for name, _ in told}
    assert not names & {
        "hiddenservicesinglehopmode",
        "hiddenservicenonanonymousmode",
        "orport",
        "controlport",
    }
    assert len([name for name, _ in told if name == "SocksPort"]) == 1
    assert ("VanguardsLiteEnabled", "1") in told


def test_the_reporters_onion_asks_for_work_and_names_circuits_and_the_couriers_does_not():
    services: dict[str, dict[str, str]] = {}
    own = None
    for name, value in options():
        if name == "HiddenServiceDir":
            own = services.setdefault(value.rsplit("/", 1)[1], {})
        elif own is not None:
            own[name] = value
    source, collection = services["source"], services["collection"]
    assert source["HiddenServicePort"] == "80 unix:/run/candour-source/http.sock"
    assert collection["HiddenServicePort"] == "80 unix:/run/candour-collection/http.sock"
    assert (source["HiddenServicePoWDefensesEnabled"], source["HiddenServiceExportCircuitID"]) == (
        "1",
        "haproxy",
    )
    assert "HiddenServiceExportCircuitID" not in collection
    for service in (source, collection):
        assert service["HiddenServiceEnableIntroDoSDefense"] == "1"
        assert int(service["HiddenServiceMaxStreams"]) > 0
        assert service["HiddenServiceMaxStreamsCloseCircuit"] == "1"
