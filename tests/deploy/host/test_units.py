"""The units, by systemd's own judgement; the folders and users that they name are those that are made."""

import os
import re
import subprocess
from configparser import RawConfigParser

import pytest

from common.config import Limits
from common.conversation import derivation
from deploy.host import steps
from deploy.run import servers

WEB = ("candour-source.service", "candour-collection.service", "candour-settle.service")
WRITES = {
    "candour-source.service": {"database", "blobs", "outbox"},
    "candour-collection.service": {"inbox"},
    "candour-settle.service": {"database", "blobs", "inbox", "outbox"},
}
RUN_SOMETHING = (*WEB, "nftables-candour.service", "tor@candour.service")
UNITS = steps.TREE / "etc/systemd/system"


def analyze(*words):
    return subprocess.run(
        ["systemd-analyze", *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )


@pytest.fixture(scope="module")
def runnable(offline):
    """With the programs that the units name, as files that could be run."""
    named = re.findall(
        r"^Exec\w+=[+-]?(/\S+)",
        "".join(file.read_text() for file in UNITS.rglob("*") if file.is_file()),
        re.MULTILINE,
    )
    for program in [*named, "/usr/bin/kill", "/bin/kill", "/usr/bin/install"]:
        made = offline / program.lstrip("/")
        made.parent.mkdir(parents=True, exist_ok=True)
        made.touch(0o755)
    return offline


def test_systemd_finds_nothing_wrong_with_any_unit(runnable):
    ours = sorted({*(file.name for file in UNITS.glob("*.*") if file.is_file()), "tor@candour.service"})
    said = analyze("verify", "--man=no", "--generators=no", f"--root={runnable}", *ours)
    about_ours = [line for line in said.stderr.splitlines() if "candour" in line]
    assert (said.returncode, about_ours) == (0, []), said.stderr


def test_systemd_would_have_found_a_slip(runnable):
    slipped = runnable / "etc/systemd/system/candour-slip.service"
    slipped.write_text("[Service]\nExecStart=/usr/bin/kill\nProtectSytem=strict\n")
    try:
        said = analyze("verify", "--man=no", f"--root={runnable}", slipped.name)
    finally:
        slipped.unlink()
    assert "ProtectSytem" in said.stderr


@pytest.mark.parametrize("unit", RUN_SOMETHING)
def test_each_unit_that_runs_something_is_exposed_less_than_two(offline, unit):
    said = analyze("security", "--offline=true", f"--root={offline}", "--threshold=20", "--no-pager", unit)
    assert said.returncode == 0, said.stdout[-300:]


def test_the_measure_counts_the_drop_in_that_confines(offline):
    dropped = offline / "etc/systemd/system/candour-.service.d"
    aside = dropped.rename(dropped.with_name("aside"))
    try:
        said = analyze(
            "security", "--offline=true", f"--root={offline}", "--threshold=20", "--no-pager", WEB[0]
        )
    finally:
        aside.rename(dropped)
    assert said.returncode == 1


def read(name):
    """A unit's settings, those of the drop-in before its own; of a setting that is given twice, the last."""
    found = RawConfigParser(strict=False)
    for file in (UNITS / "candour-.service.d/confined.conf", UNITS / name):
        found.read_string(file.read_text().replace("\\\n", ""))
    return found["Service"]


@pytest.mark.parametrize("unit", WEB)
def test_a_web_process_has_no_network_no_core_no_swap_and_writes_in_few_places(unit):
    told = read(unit)
    assert (told["PrivateNetwork"], told["RestrictAddressFamilies"]) == ("yes", "AF_UNIX")
    assert (told["LimitCORE"], told["MemorySwapMax"], told["UMask"]) == ("0", "0", "0077")
    assert (told["ProtectSystem"], told["NoNewPrivileges"], told["CapabilityBoundingSet"]) == (
        "strict",
        "yes",
        "",
    )
    assert set(told["ReadWritePaths"].split()) == {f"/var/lib/candour/{name}" for name in WRITES[unit]}
    assert told["LogNamespace"] == "candour"


def test_each_web_process_has_a_user_of_its_own_and_cannot_see_the_other_s_folder():
    source, collection, settle = map(read, WEB)
    assert (source["User"], collection["User"]) == ("candour-source", "candour-collection")
    assert settle["User"] == source["User"], "it writes the same rows and blobs"
    assert source["InaccessiblePaths"] == "/var/lib/candour/collection /var/lib/candour/inbox"
    assert settle["InaccessiblePaths"] == "/var/lib/candour/collection"
    assert collection["InaccessiblePaths"].split() == [
        "/var/lib/candour/source",
        "/var/lib/candour/database",
        "/etc/candour/pepper",
    ]
    assert collection["ReadOnlyPaths"] == "/var/lib/candour/blobs /var/lib/candour/outbox"


def test_no_service_may_make_a_file_or_folder_setgid_so_they_inherit_it():
    """What each user makes in a shared folder is the group's, because that folder is setgid (common/store/inbox.py)."""
    assert all(read(unit)["RestrictSUIDSGID"] == "yes" for unit in WEB)
    folders = (steps.TREE / "etc/tmpfiles.d/candour.conf").read_text()
    for name, mode in (("blobs", "2710"), ("outbox", "2750"), ("inbox", "2770")):
        assert re.search(
            rf"^d /var/lib/candour/{name} +{mode} candour-source candour -$", folders, re.MULTILINE
        )


def test_the_settlement_comes_every_hour_and_after_a_time_without_power():
    """Which of the hours are settled, the registry says; the command looks it up."""
    timer = (UNITS / "candour-settle.timer").read_text()
    assert "\nOnCalendar=*-*-* *:00:00 UTC\n" in timer
    assert "\nPersistent=yes\n" in timer
    assert "candour-settle.timer" in steps.UNITS
    assert (
        "\nExecStart=/usr/lib/candour/.venv/bin/python -P -m deploy settle\n"
        in (UNITS / "candour-settle.service").read_text()
    )


@pytest.mark.parametrize("name", ["candour-source", "candour-collection"])
def test_a_socket_is_tor_s_alone(name):
    socket = (UNITS / f"{name}.socket").read_text()
    assert "SocketUser=root\nSocketGroup=_tor-candour\nSocketMode=0660\n" in socket
    folders = (steps.TREE / "etc/tmpfiles.d/candour.conf").read_text()
    assert re.search(rf"^d /run/{name} +0750 root _tor-candour -$", folders, re.MULTILINE)


def test_where_the_firewall_does_not_load_tor_does_not_start():
    told = (UNITS / "tor@candour.service.d/candour.conf").read_text()
    assert "\nRequires=nftables-candour.service\n" in told
    assert re.search(r"^After=.*\bnftables-candour.service$", told, re.MULTILINE)


def test_what_is_logged_is_in_memory_and_gone_after_a_day():
    for file in ("journald@candour.conf", "journald.conf.d/candour.conf"):
        told = (steps.TREE / "etc/systemd" / file).read_text()
        assert "Storage=volatile\n" in told
        assert "MaxRetentionSec=1day\n" in told


def megabytes(told):
    number, unit = int(told[:-1]), told[-1]
    return number * {"M": 1, "G": 1024}[unit]


@pytest.mark.parametrize("unit", RUN_SOMETHING)
def test_each_unit_that_runs_something_has_a_limit_of_memory(unit):
    file = UNITS / unit if (UNITS / unit).is_file() else UNITS / f"{unit}.d/candour.conf"
    told = RawConfigParser(strict=False)
    told.read_string(file.read_text().replace("\\\n", ""))
    most = megabytes(told["Service"]["MemoryMax"])
    assert 128 <= most <= 4096
    if high := told["Service"].get("MemoryHigh"):
        assert 0.5 * most < megabytes(high) < most, "slowed before it is ended"


PROCESS, UPLOAD, BODIES = (
    64,
    4,
    4,
)  # MB: of a process, of an upload with its gpg, of what a thread holds of a body


def test_the_limits_hold_what_adds_up(tmp_path):
    """Of the servers as deploy starts them, with the default limits; one worker more while one is replaced."""
    listener = servers.listen("source interface", 0, "--port")
    source = servers.source_interface(tmp_path / "server.toml", listener)
    collection = servers.collection(tmp_path / "server.toml", listener)
    listener.close()
    derivations = Limits().derivations_at_once * derivation.CURRENT.memory_kib // 1024
    each = PROCESS + derivations + source.threads * UPLOAD
    wanted = PROCESS + (source.workers + 1) * each
    assert wanted <= megabytes(read("candour-source.service")["MemoryHigh"]) < wanted * 1.1
    wanted = PROCESS + collection.workers * (PROCESS + collection.threads * BODIES)
    assert wanted <= megabytes(read("candour-collection.service")["MemoryHigh"]) < wanted * 1.5
    torrc = (steps.TREE / "etc/tor/instances/candour/torrc").read_text()
    assert "\nMaxMemInQueues 512 MB\n" in torrc
    for unit in ("candour-source.service", "candour-collection.service"):
        assert read(unit)["OOMPolicy"] == "continue", "one process ends, and the master goes on"
        assert (
            f"--workers {source.workers if 'source' in unit else collection.workers} "
            in read(unit)["ExecStart"]
        )
        assert (
            f"--threads {source.threads if 'source' in unit else collection.threads} "
            in read(unit)["ExecStart"]
        )


@pytest.mark.parametrize("unit", ["candour-source.service", "candour-collection.service"])
def test_a_unit_gives_its_server_the_memory_settings_that_up_gives(unit, tmp_path):
    listener = servers.listen("source interface", 0, "--port")
    given = servers.environment(servers.source_interface(tmp_path / "server.toml", listener))
    listener.close()
    ours = [f"{name}={value}" for name, value in given.items() if name.startswith("MALLOC_")]
    assert len(ours) == 2
    assert f"Environment={' '.join(ours)}\n" in (UNITS / unit).read_text()
