"""The version of Candour: one number, of one form, that the changelog knows."""

import re
from pathlib import Path

import pytest

from common.version import VERSION, NotAVersion, numbers

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def test_versions_compare_as_numbers():
    assert numbers("0.9.0") < numbers("0.10.0") < numbers("1.0.0") < numbers("1.0.9999")


@pytest.mark.parametrize(
    "malformed",
    ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3\n", " 1.2.3", "1.2.-3", "1.2.10000", "1.2.³"],
)
def test_what_has_another_form_is_no_version(malformed):
    with pytest.raises(NotAVersion):
        numbers(malformed)


def test_the_newest_version_of_the_changelog_is_this_one():
    named = re.findall(r"^## \[([0-9.]+)\]", CHANGELOG.read_text("utf-8"), re.MULTILINE)
    assert named[0] == VERSION
    assert sorted(named, key=numbers, reverse=True) == named
