"""`python -m journalist_interface.desk`: a line for a person, and an exit code for a script."""

import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from journalist_interface.desk.answers import composition

pytestmark = pytest.mark.slow


@pytest.fixture
def command(world):
    """Runs the command as it is run."""

    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "journalist_interface.desk", "--config", str(world.settings), *words],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_import_says_what_it_took(world, command):
    folder = world.bundle(world.seal(world.reporter()), world.seal(world.reporter()))
    done = command("import")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{folder.name}: 2 new, 0 known already.\n2 opened, 0 could not be opened.\n"
    again = command("import")
    assert (again.returncode, again.stdout) == (0, f"{folder.name}: 0 new, 2 known already.\n")


def test_import_with_nothing_there(command):
    done = command("import")
    assert (done.returncode, done.stdout, done.stderr) == (0, "No bundle is on the stick.\n", "")


def test_export_with_nothing_there(command):
    done = command("export")
    assert (done.returncode, done.stdout) == (0, "Nothing is waiting, so nothing was written to the stick.\n")


def test_what_is_set_aside_is_named_and_the_rest_is_taken(world, command):
    folder = world.bundle(*(world.seal(world.reporter()) for _ in range(2)))
    harmed = min(folder.iterdir())
    harmed.write_bytes(b"x")
    done = command("import")
    assert done.returncode == 2
    assert done.stdout == (
        f"{folder.name}: 1 new, 0 known already, 1 set aside.\n1 opened, 0 could not be opened.\n"
    )
    assert done.stderr == f"{folder.name}: The item {harmed.name} was not taken: it is altered or damaged.\n"


def test_a_refusal_ends_with_two_and_the_sentence(world, command):
    folder = world.bundle(world.seal(world.reporter()), key=world.house.other_courier)
    done = command("import")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{folder.name}: This bundle is refused: it is not signed by a key")
    assert done.stderr.count("\n") == 1


def test_export_says_what_it_wrote(world, command):
    reporter = world.reporter()
    world.bundle(world.seal(reporter))
    command("import")
    assert command("export").stdout.startswith("Receipts for 1 message written to the stick as posts-")
    [folder] = world.stick.glob("posts-*")
    shutil.rmtree(folder)
    composition.seal_answer(world.desk(), reporter.identity, secrets.token_hex(16), "Thank you.")
    done = command("export")
    [folder] = world.stick.glob("posts-*")
    assert (done.returncode, done.stdout) == (
        0,
        f"1 answer and receipts for 1 message written to the stick as {folder.name}.\n",
    )


@pytest.mark.parametrize("harm", ["desk.toml", "registry.json", "registry-root.pub"])
def test_without_its_settings_it_says_which(world, command, harm):
    (world.folder / harm).unlink()
    done = command("import")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(".\n")


def test_a_gnupg_home_that_is_not_there_is_named(world, command):
    text = world.settings.read_text().replace(str(world.house.folder / "unit" / "gnupg"), "nowhere")
    world.settings.write_text(text)
    done = command("export")
    assert done.returncode == 2
    assert "nowhere is no folder" in done.stderr
