"""The courier's memory does not grow with what it carries."""

import re

import pytest

pytestmark = pytest.mark.quiet

LARGE = 200 * 1024 * 1024
PEAK = """
import re, sys
from pathlib import Path
from journalist_interface.courier.cli import courier
try:
    courier()
finally:
    print("peak", re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def peak(courier):
    """The most memory that a collecting courier held, bytes."""
    process = courier.start("collect", "--to", courier.stick, program=PEAK)
    said, _ = process.communicate(timeout=120)
    found = re.search(r"peak (\d+)", said)
    assert found, said
    return int(found[1]) * 1024


def test_200_mb_are_carried_without_memory_growing(world, courier, gunicorn):
    courier.write_settings(gunicorn.address)
    world.put("north", b"x" * 16384)
    small = peak(courier)
    world.put_large("north", LARGE)
    assert peak(courier) - small < 8 * 1024 * 1024
