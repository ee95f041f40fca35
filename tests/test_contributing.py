"""CONTRIBUTING.md names files that are there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / "CONTRIBUTING.md").read_text("utf-8")
MADE = {"var/server/server.toml"}  # by `./candour up`
NAMED = set(re.findall(r"[\w-]+(?:/[\w-]+)*/?\.(?:py|md|toml|in)\b", TEXT)) - MADE


@pytest.mark.parametrize("file", sorted(NAMED))
def test_what_it_names_is_there(file):
    assert (PROJECT / file).is_file()


def test_it_leads_to_what_a_newcomer_needs():
    assert {"ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md", "tests/test_claims.py"} <= NAMED
