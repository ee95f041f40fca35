"""gpg as the rooms run it: what stands in each command line, and what comes down its input."""

import subprocess

import pytest

from common.gpg.runner import ANSWERS, Pinentry, gpg_command, gpg_environment, run_gpg, start_gpg

pytestmark = pytest.mark.slow


@pytest.fixture
def home(short_folder):
    made = short_folder()
    done = run_gpg(
        made, "--quick-gen-key", "A", "ed25519", "cert", passphrase="of A", clock="20300102T000000!"
    )
    assert done.returncode == 0, done.stderr
    return made


def test_nobody_is_asked_and_nobodys_settings_are_read(tmp_path):
    command = gpg_command(tmp_path, "--version")
    assert command[:3] == ["gpg", "--homedir", str(tmp_path)]
    assert {"--batch", "--no-options", "--no-tty", "--no-auto-check-trustdb"} < set(command)
    assert command[command.index("--status-fd") + 1] == "2"
    assert command[command.index("--pinentry-mode") + 1] == "cancel"
    assert "--faked-system-time" not in command
    (tmp_path / "gpg.conf").write_text("no-such-option\n")
    assert run_gpg(tmp_path, "--version").returncode == 0


def test_the_clock_is_the_one_asked_for(home):
    listed = run_gpg(home, "--with-colons", "--list-keys", clock="20300103T000000!").stdout.decode()
    assert [row.split(":")[5] for row in listed.splitlines() if row.startswith("pub")] == ["1893542400"]


def test_a_passphrase_opens_a_wrong_one_does_not_and_without_one_nobody_is_asked(home):
    def given(**how):
        return run_gpg(home, "--export-secret-keys", clock="20300103T000000!", **how).stdout

    subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True, env=gpg_environment())
    assert given() == given(passphrase="of B") == b""
    assert given(passphrase="of A")


def test_what_gpg_asks_is_answered(home):
    done = run_gpg(home, "--passwd", "A", answers="of A\nof C\nof C\n", clock="20300103T000000!")
    assert b"[GNUPG:] SUCCESS keyedit.passwd" in done.stderr
    assert run_gpg(home, "--export-secret-keys", passphrase="of C", clock="20300103T000000!").stdout


def test_a_gpg_that_is_talked_to_says_on_its_stderr_what_it_asks(home):
    command = gpg_command(home, *ANSWERS, "--edit-key", "A", pinentry=Pinentry.PERSON)
    with start_gpg(command) as gpg:
        said, _ = gpg.communicate(b"quit\n", timeout=30), gpg.wait()
    assert said[0] == b""  # so that nobody needs to read it
    assert b"[GNUPG:] GET_LINE keyedit.prompt" in said[1]


def test_without_gpg_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="gpg"):
        run_gpg(tmp_path, "--version")
