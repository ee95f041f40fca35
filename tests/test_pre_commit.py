"""What pre-commit runs is what `./candour test` begins with, from the project's own environment."""

import re
from pathlib import Path

from deploy.workshop.checks import CHECKS

CONFIG = (Path(__file__).parents[1] / ".pre-commit-config.yaml").read_text("utf-8")


def of(key):
    return re.findall(rf"^ +(?:- )?{key}: (.+)$", CONFIG, re.MULTILINE)


def test_the_hooks_are_the_checks_that_come_before_the_tests():
    quick = CHECKS[
        : [words for _, words in CHECKS].index(next(words for _, words in CHECKS if words[0] == "pytest"))
    ]
    assert list(zip(of("name"), of("entry"), strict=True)) == [
        (title, ".venv/bin/" + " ".join(words)) for title, words in quick
    ]


def test_they_download_nothing_and_look_at_the_whole_project():
    assert set(of("repo")) == {"local"}
    assert set(of("language")) == {"system"}
    assert of("pass_filenames") == ["false"] * len(of("id"))
