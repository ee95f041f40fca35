"""THIRD-PARTY.md lists what Candour takes from others, with the licence that each says it has."""

import hashlib
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
NAME = re.compile(r"^([A-Za-z][\w.-]*)", re.MULTILINE)
# Of the text of 19 November 2007, with the addresses that it has had since https.
AGPL = "0d96a4ff68ad6d4b6f1f30f713b18d5184912ba8dd389f86aa7710db079abcb0"
ROW = re.compile(r"^\| `([\w.-]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
# What the Free Software Foundation calls compatible with version 3 of its licences. An alternative (OR) needs one.
COMPATIBLE = {
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "LGPL-3.0-only",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PSF-2.0",
}


def named(file):
    return {name.lower() for name in NAME.findall((PROJECT / file).read_text("utf-8"))}


def rows():
    found = ROW.findall((PROJECT / "THIRD-PARTY.md").read_text("utf-8"))
    return {name: (said, licence) for name, said, licence in found}


def said_by(name):
    """What a package's own metadata say of its licence, in the words of the field that says most."""
    told = distribution(name).metadata
    kinds = [kind for kind in told.get_all("Classifier") or [] if kind.startswith("License ::")]
    return told["License-Expression"] or told["License"] or kinds[0].rpartition(" :: ")[2]


def test_each_requirement_is_listed_with_its_licence():
    assert named("requirements.in") <= set(rows())
    assert named("requirements.txt") == set(rows())


@pytest.mark.parametrize("name", sorted(named("requirements.txt")))
def test_the_list_says_what_the_package_says(name):
    assert rows()[name][0] == said_by(name)


@pytest.mark.parametrize("name", sorted(named("requirements.txt")))
def test_each_licence_is_compatible_with_ours(name):
    assert set(rows()[name][1].split(" OR ")) & COMPATIBLE


def test_our_licence_is_the_published_text_to_the_letter():
    assert hashlib.sha256((PROJECT / "LICENSE").read_bytes()).hexdigest() == AGPL
