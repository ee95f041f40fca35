"""SECURITY.md names a test for each claim; a claim whose test is gone is no claim."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
SECURITY = TESTS.parent / "SECURITY.md"
DEFINED = re.compile(r"^\s*def (test_\w+)", re.MULTILINE)
NAMED = re.compile(r"\btest_\w+")


def test_every_test_that_a_claim_names_is_there():
    defined = {name for file in TESTS.rglob("test_*.py") for name in DEFINED.findall(file.read_text("utf-8"))}
    named = set(NAMED.findall(SECURITY.read_text("utf-8")))
    assert len(named) > 30
    assert named <= defined
