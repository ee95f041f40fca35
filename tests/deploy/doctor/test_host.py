"""The doctor on a host under a root of its own: each fault present, and absent."""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.days import today
from common.store.outbox import Outbox
from common.transport import settled_hours
from deploy.backup.layout import on_host
from deploy.doctor import host as checks
from deploy.doctor.finding import State
from deploy.doctor.machine import check_clock, check_swap, clock_state
from deploy.doctor.server import check_disk, check_server
from deploy.host import ownership
from deploy.host.place import Place
from deploy.host.steps import UNITS
from deploy.run.servers import PROJECT

pytestmark = pytest.mark.slow

IDS = {"candour": 61001, "candour-source": 61002, "candour-collection": 61003, "_tor-candour": 61004}


@pytest.fixture
def place(tmp_path):
    """What tmpfiles.d and sysusers.d would make."""
    here = Place(tmp_path)
    (tmp_path / "etc").mkdir()
    table = "".join(f"{name}:x:{number}:{number}::/:\n" for name, number in IDS.items())
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).write_text(table)
    for rule in ownership.rules():
        if "*" in rule.path:
            continue
        path = here.path(rule.path)
        if rule.kind == "d":
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    for rule in ownership.rules():
        if "*" not in rule.path:
            path = here.path(rule.path)
            os.chown(path, IDS.get(rule.user, 0), IDS.get(rule.group, 0))
            path.chmod(rule.mode)
    return here


def only(findings):
    (finding,) = findings
    if finding.state is not State.GOOD:
        assert finding.remedy
    return finding


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@needs_root
def test_owners_and_modes_are_held_against_the_host_s_rules(place):
    assert only(checks.check_owners(place)).state is State.GOOD
    pepper = place.path("/etc/candour/pepper")
    pepper.chmod(0o644)
    finding = only(checks.check_owners(place))
    assert finding.state is State.WRONG
    assert "/etc/candour/pepper has mode 0644, not 0640" in finding.text
    pepper.chmod(0o640)
    os.chown(place.path("/var/lib/candour/blobs"), 0, 0)
    assert "/var/lib/candour/blobs is not candour-source:candour" in only(checks.check_owners(place)).text
    pepper.unlink()
    assert "/etc/candour/pepper is missing" in only(checks.check_owners(place)).text


def test_settled_hours_that_passed_without_a_settlement_are_told(tmp_path, server_config):
    config = server_config()
    folder = config.registry.parent
    outbox = Outbox(config.outbox, config.blobs)
    layout = replace(on_host(), settings=folder, database=folder / "candour.sqlite", blobs=config.blobs)
    assert "Nothing was settled yet" in only(checks.check_settled(layout)).text
    now = datetime.now(UTC)
    for ago, state in ((0, State.GOOD), (6, State.GOOD), (13, State.WRONG)):
        hour = settled_hours.last_settled_hour(6, now - timedelta(hours=ago))
        outbox.write(hour, (), (), 0)
        finding = only(checks.check_settled(layout))
        assert finding.state is state
        assert f"{hour}:00 UTC" in finding.text
    assert "candour-settle" in finding.remedy


def test_an_old_backup_and_none_are_told(tmp_path):
    stamp = tmp_path / "last-backup"
    assert only(checks.check_backup(stamp)).state is State.WARNING
    for days, state in ((0, State.GOOD), (8, State.GOOD), (9, State.WARNING)):
        stamp.write_text(f"{today() - timedelta(days=days)}\n")
        finding = only(checks.check_backup(stamp))
        assert finding.state is state
        assert str(today() - timedelta(days=days)) in finding.text


def test_a_kernel_that_keeps_cores_is_told(tmp_path):
    pattern = tmp_path / "proc" / "sys" / "kernel" / "core_pattern"
    pattern.parent.mkdir(parents=True)
    for text, state in (("|/bin/false\n", State.GOOD), ("core\n", State.WRONG)):
        pattern.write_text(text)
        assert only(checks.check_core_pattern(Place(tmp_path))).state is state


def test_units_that_do_not_start_with_the_machine_are_named(tmp_path):
    tree = PROJECT / "deploy" / "host" / "tree" / "etc" / "systemd" / "system"
    folder = tmp_path / "etc" / "systemd" / "system"
    folder.mkdir(parents=True)
    for unit in UNITS:
        (folder / unit).write_bytes((tree / unit).read_bytes())
    place = Place(tmp_path)
    place.tool("systemctl", "--quiet", "enable", *UNITS)
    assert only(checks.check_enabled(place)).state is State.GOOD
    place.tool("systemctl", "--quiet", "disable", "candour-settle.timer")
    finding = only(checks.check_enabled(place))
    assert finding.state is State.WRONG
    assert finding.text == "Not enabled: candour-settle.timer"


def test_sockets_that_are_missing_or_open_to_all_are_told(short_folder):
    place = Place(short_folder())
    assert {finding.state for finding in checks.check_sockets(place)} == {State.WRONG}
    for name in checks.SOCKETS:
        path = place.path(name)
        path.parent.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
        path.chmod(0o660)
    assert {finding.state for finding in checks.check_sockets(place)} == {State.GOOD}
    path.chmod(0o666)
    assert [finding.state for finding in checks.check_sockets(place)] == [State.GOOD, State.WRONG]


@needs_root
def test_a_firewall_that_is_not_loaded_or_lets_everything_in_is_told():
    look = "from deploy.doctor.host import check_firewall; print(next(check_firewall()).state)"
    chain = "nft add chain inet candour {0} '{{ type filter hook {1} priority filter; policy {2}; }}'"
    hooks = (("in", "input"), ("forward", "forward"), ("out", "output"))
    shut = [chain.format(*hook, "drop") for hook in hooks]
    ajar = [*shut[:2], chain.format(*hooks[2], "accept")]
    for lines, state in (([], "wrong"), (shut, "good"), (ajar, "wrong")):
        steps = [
            *(["nft add table inet candour"] if lines else []),
            *lines,
            f'"{sys.executable}" -P -c "{look}"',
        ]
        shown = subprocess.run(
            ["unshare", "--net", "sh", "-ec", "\n".join(steps)],  # a network of its own, gone with the shell
            env=os.environ | {"PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout.strip() == state


HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def test_swap_is_told_when_it_reaches_a_disk_unencrypted(tmp_path):
    place = Place(tmp_path)
    (tmp_path / "proc").mkdir()
    table = tmp_path / "proc" / "swaps"
    uuid = tmp_path / "sys" / "block" / "dm-7" / "dm" / "uuid"
    uuid.parent.mkdir(parents=True)
    uuid.write_text("CRYPT-PLAIN-swap\n")
    for line, state in (
        ("", State.GOOD),
        ("/dev/dm-7 partition 9 0 -2\n", State.GOOD),
        ("/swapfile file 9 0 -2\n", State.WARNING),
    ):
        table.write_text(HEAD + line)
        assert only(check_swap(place)).state is state


def test_a_clock_that_nothing_keeps_is_told():
    assert only(check_clock(5)).state is State.WARNING
    assert only(check_clock(0)).state is State.GOOD
    assert clock_state() in range(6)


def test_too_little_room_is_told(server_config):
    folder = server_config().registry.parent
    disk = shutil.disk_usage(folder)
    nothing_kept = server_config(keep_free_bytes=0, reserve_for_reports_bytes=0)
    assert only(check_disk(folder, nothing_kept)).state is State.GOOD
    of_reports = server_config(keep_free_bytes=disk.free - disk.total // 32, reserve_for_reports_bytes=2**60)
    finding = only(check_disk(folder, of_reports))
    assert finding.state is State.WARNING
    assert "nothing of what units deliver is taken" in finding.remedy
    finding = only(check_disk(folder, server_config(keep_free_bytes=2**60)))
    assert finding.state is State.WRONG
    assert "keep_free_bytes" in finding.remedy


def test_looking_at_the_database_leaves_its_files_to_the_servers(server_config):
    from common.store.database import open_store

    config = server_config()
    settings, database = config.registry.with_name("server.toml"), config.registry.with_name("candour.sqlite")
    open_store(config.database, config.blobs).engine.dispose()
    for suffix in ("-wal", "-shm"):
        Path(f"{database}{suffix}").touch()
    assert State.WRONG not in {finding.state for finding in check_server(settings, database)}
    assert Path(f"{database}-wal").exists()
    assert Path(f"{database}-shm").exists()


def test_the_command_finds_the_host_by_itself_or_under_a_root(tmp_path):
    from click.testing import CliRunner

    from deploy.cli import candour

    shown = CliRunner().invoke(candour, ["doctor", "--root", str(tmp_path)]).output
    assert "There has been no backup yet" in shown
    assert "data folder" not in shown
    assert CliRunner().invoke(candour, ["doctor", "--root", str(tmp_path), "--host"]).exit_code == 2
