"""The command line, as a person types it."""

import os
import subprocess
import sys
from pathlib import Path

from common.version import VERSION
from deploy.run import servers
from deploy.workshop import checks


def candour(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "deploy", *arguments],
        env=os.environ | {"PYTHONPATH": str(servers.PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_names_every_command_and_imports_no_other_room():
    shown = candour("--help")
    assert shown.returncode == 0
    for command in ("up", "desk", "test", "testnet", "doctor", "keys", "courier"):
        assert f"\n  {command} " in shown.stdout
    script = (
        "import sys; from click.testing import CliRunner; from deploy.cli import candour\n"
        "assert CliRunner().invoke(candour, ['--help']).exit_code == 0\n"
        "rooms = {'common', 'keys', 'journalist_interface', 'source_interface', 'flask', 'sqlalchemy'}\n"
        "print(rooms & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=os.environ | {"PYTHONPATH": str(servers.PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "set()"


def test_it_says_which_version_it_is():
    shown = candour("--version")
    assert shown.stdout == f"candour {VERSION}\n"
    assert shown.returncode == 0


def test_an_unknown_command_says_so():
    assert "No such command 'fly'" in candour("fly").stderr


def test_the_keys_and_the_courier_answer_through_it():
    assert candour("keys", "--help").returncode == 0
    assert candour("courier", "--help").returncode == 0


def test_a_desk_that_is_not_there_says_what_to_do(tmp_path):
    refused = candour("desk", "--data", str(tmp_path / "nothing"))
    assert refused.returncode == 1
    assert "./candour up" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_test_path_stays_the_one_that_was_meant(tmp_path, monkeypatch):
    (tmp_path / "test_x.py").touch()
    monkeypatch.chdir(tmp_path)
    assert checks._from_here("test_x.py::test_y") == f"{tmp_path}/test_x.py::test_y"
    assert checks._from_here("-k") == "-k"
    assert checks._from_here(str(Path("nothing"))) == "nothing"
