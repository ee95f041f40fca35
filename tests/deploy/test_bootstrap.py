"""The set-up, in a small project of its own: real venv, real pip, no package to install."""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploy import bootstrap

pytestmark = pytest.mark.slow

PROJECT = Path(bootstrap.PROJECT)
MAIN = "import os, sys, common; print(os.getcwd(), common.__file__, sys.prefix, *sys.argv[1:])"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project whose requirements are empty."""
    folder = tmp_path_factory.mktemp("project") / "a project"
    for name in ("deploy", "common"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    (folder / "deploy" / "__main__.py").write_text(MAIN, encoding="utf-8")
    shutil.copy(PROJECT / "deploy" / "bootstrap.py", folder / "deploy")
    shutil.copy(PROJECT / "candour", folder)
    for name in (bootstrap.BUILD_TOOLS, bootstrap.REQUIREMENTS, bootstrap.TEST_REQUIREMENTS):
        (folder / name).write_text("", encoding="utf-8")
    return folder


def candour(
    launcher: Path, *arguments: str, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [launcher, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_it_sets_up_once_and_is_silent_afterwards(project, tmp_path):
    first = candour(project / "candour", "up", "--data", "here", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "Making the virtual environment" in first.stderr
    second = candour(project / "candour", "up", "--data", "here", cwd=tmp_path)
    assert second.stderr == ""
    # The project's own packages, the caller's own folder, the new environment.
    expected = f"{tmp_path} {project}/common/__init__.py {project}/.venv up --data here\n"
    assert first.stdout == second.stdout == expected


def test_it_works_through_a_link_and_beside_packages_of_the_same_name(project, tmp_path):
    candour(project / "candour", cwd=tmp_path)
    (tmp_path / "deploy.py").write_text("raise SystemExit('the wrong deploy')", encoding="utf-8")
    (tmp_path / "common.py").write_text("raise SystemExit('the wrong common')", encoding="utf-8")
    (tmp_path / "link").symlink_to(project / "candour")
    ran = candour(tmp_path / "link", "x", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"{project}/common/__init__.py" in ran.stdout


def test_an_interrupted_setup_is_mended(project, tmp_path):
    candour(project / "candour", cwd=tmp_path)
    (project / ".venv" / "made-from").unlink()
    (project / ".venv" / "bin" / "python").unlink()
    mended = candour(project / "candour", cwd=tmp_path)
    assert mended.returncode == 0, mended.stderr
    assert "Making the virtual environment" in mended.stderr
    assert candour(project / "candour", cwd=tmp_path).stderr == ""


@pytest.fixture
def path_of_a_tester(tmp_path) -> str:
    """A PATH on which the programs of the tests are found, whether they are here or not: none of them is run."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for program in bootstrap.MORE_PROGRAMS["test"]:
        (folder / program).symlink_to("/bin/false")
    return f"{os.environ['PATH']}:{folder}"


def test_a_package_without_a_hash_is_refused_with_what_to_do(project, tmp_path, path_of_a_tester):
    """One of the tests: those are installed by the same pip, beside what is there, and nothing is made anew."""
    candour(project / "candour", cwd=tmp_path)
    (project / bootstrap.TEST_REQUIREMENTS).write_text("flask==3.1.0\n", encoding="utf-8")
    try:
        refused = candour(project / "candour", "test", cwd=tmp_path, PATH=path_of_a_tester)
    finally:
        (project / bootstrap.TEST_REQUIREMENTS).write_text("", encoding="utf-8")
    assert refused.returncode == 1
    assert "--require-hashes" in refused.stderr
    assert refused.stderr.rstrip().endswith("run this again.")
    assert not (project / ".venv" / "made-from").exists()


@pytest.fixture
def bare_path():
    """A folder for PATH, open to any user, with no more than apt-get in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "apt-get").symlink_to("/bin/false")
        yield folder


def test_without_root_it_prints_the_one_command(bare_path):
    script = (
        "import os, sys\n"
        "from deploy import bootstrap\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "sys.exit(bootstrap.main(['up']))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={"PATH": bare_path, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "    sudo apt-get install -y --no-install-recommends gpg gpg-agent gpgconf" in ran.stderr


@pytest.mark.parametrize("command", ["testnet", "test", "bench"])
def test_what_runs_a_private_tor_network_installs_tor(command, bare_path, monkeypatch):
    monkeypatch.setenv("PATH", bare_path)
    assert "tor" in bootstrap.missing_packages(command)
    assert "tor" not in bootstrap.missing_packages("up")


def test_the_launcher_says_what_to_do_without_a_python(tmp_path):
    for tool in ("dirname", "readlink", "id", "sh"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    ran = subprocess.run(
        ["/bin/sh", PROJECT / "candour"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "Python 3.11" in ran.stderr


def test_bootstrap_is_understood_by_an_old_python():
    source = (PROJECT / "deploy" / "bootstrap.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))


@pytest.mark.parametrize("name", [bootstrap.BUILD_TOOLS, bootstrap.REQUIREMENTS, bootstrap.TEST_REQUIREMENTS])
def test_requirements_name_no_host_and_no_path_and_every_one_has_a_hash(name):
    text = (PROJECT / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.strip().startswith("#")]
    assert not any("/" in line or line.startswith("-") for line in lines)
    starts = [index for index, line in enumerate(lines) if line and not line.startswith(" ")]
    assert starts
    assert all("==" in lines[index] and "--hash=sha256:" in lines[index + 1] for index in starts)
