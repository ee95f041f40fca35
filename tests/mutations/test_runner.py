"""The runner tells a claim whose test can fail from one whose test cannot, and its table follows the code."""

import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.mutations.__main__ import main, tenth_of
from tests.mutations.runner import Outcome, run_all
from tests.mutations.table import Mutation, all_mutations, read_tables

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
DOOR = "def is_open():\n    return False\n"
TESTS = """
import pytest
from door import is_open

def test_the_door_is_shut():
    assert not is_open()

def test_nothing():
    pass

def test_the_door_with_a_fixture(shut):
    assert shut

@pytest.mark.skipif(True, reason="not here")
def test_of_elsewhere():
    assert not is_open()
"""
CONFTEST = """
import pytest
from door import is_open

@pytest.fixture
def shut():
    assert not is_open()
    return True
"""


@pytest.fixture
def project(tmp_path):
    """A tiny project of which nothing is committed yet."""
    files = {
        "door.py": DOOR,
        "test_door.py": TESTS,
        "conftest.py": CONFTEST,
        "pytest.ini": "[pytest]\npythonpath=.\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def opened(*tests, old="return False", file="door.py"):
    return Mutation("open", file, old, "return True", tuple(f"test_door.py::{test}" for test in tests))


def outcomes(project, *mutations, **more):
    results = {result.mutation: result for result in run_all(project, mutations, **more)}
    return [results[mutation].outcome for mutation in mutations]


def test_what_a_test_notices_is_caught_and_what_none_notices_survives(project):
    found = outcomes(
        project,
        opened("test_the_door_is_shut"),
        opened("test_nothing"),
        opened("test_the_door_is_shut", "test_nothing"),
    )
    assert found == [Outcome.CAUGHT, Outcome.SURVIVED, Outcome.SURVIVED]
    assert (project / "door.py").read_text() == DOOR


def test_a_patch_whose_text_is_not_there_once_no_longer_applies(project):
    (project / "door.py").write_text(DOOR + DOOR)
    gone = [
        opened("test_nothing", old="return Never"),
        opened("test_nothing"),
        opened("test_nothing", file="gate.py"),
    ]
    assert outcomes(project, *gone) == [Outcome.STALE] * 3


def test_a_test_that_is_gone_or_breaks_before_it_begins_has_noticed_nothing(project):
    found = outcomes(project, opened("test_of_long_ago"), opened("test_the_door_with_a_fixture"))
    assert found == [Outcome.NOT_RUN] * 2


def test_a_test_that_is_skipped_here_says_nothing_of_its_claim(project):
    assert outcomes(project, opened("test_of_elsewhere")) == [Outcome.SKIPPED]


def test_what_there_is_no_time_for_is_left(project):
    assert outcomes(project, opened("test_the_door_is_shut"), seconds=0) == [Outcome.LEFT]


def test_ten_days_have_all_and_no_day_much_more_than_another():
    mutations = [Mutation(str(number), "", "", "", ()) for number in range(57)]
    days = [date(2025, 1, 1) + timedelta(days=number) for number in range(10)]
    tenths = [tenth_of(mutations, day) for day in days]
    assert sorted(one.name for tenth in tenths for one in tenth) == sorted(one.name for one in mutations)
    assert {len(tenth) for tenth in tenths} == {5, 6}
    assert tenth_of(mutations, days[0]) != tenth_of(mutations, days[0] + timedelta(days=10))


@pytest.mark.parametrize("arguments", [["--part", "3/2"], ["--part", "x"], ["--names", "no such name"]])
def test_what_makes_no_sense_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert capsys.readouterr().err


def test_the_table_follows_the_code():
    """Each patch applies, each test is there, and no name is given twice."""
    mutations = all_mutations()
    assert len(mutations) == len({one.name for one in mutations})
    assert [one.name for one in mutations if one.patched(PROJECT) is None] == []
    assert [one.name for one in mutations if not one.tests or not all(map(is_there, one.tests))] == []


def is_there(test):
    file, _, name = test.partition("::")
    return (PROJECT / file).exists() and f"def {name}(" in (PROJECT / file).read_text("utf-8")


def test_an_entry_of_another_form_is_refused(tmp_path):
    (tmp_path / "x.toml").write_text('[[mutation]]\nname = "x"\ntests = []\n')
    with pytest.raises(TypeError):
        read_tables([tmp_path / "x.toml"])
