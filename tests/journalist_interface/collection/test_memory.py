"""A large envelope passes through in constant memory."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.quiet

LARGE = 200 * 1024 * 1024


def peak(process):
    """The most memory a process ever held, bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_200_mb_are_sent_without_memory_growing(world, gunicorn, call):
    caller = call("north", gunicorn.address)
    small, large = world.put("north", b"x" * 16384), world.put_large("north", LARGE)
    assert caller.ask("GET", f"/v1/envelopes/{small}").status_code == 200
    before = peak(gunicorn.worker())
    for asked in ({}, {"Range": f"bytes=1-{LARGE - 2}"}):
        caller.learn_mark()
        request = caller.sign(caller.prepare("GET", f"/v1/envelopes/{large}", **asked))
        with caller.session.send(request, stream=True, timeout=60) as answer:
            received = sum(len(chunk) for chunk in answer.iter_content(1024 * 1024))
        assert received in (LARGE, LARGE - 2)
    assert peak(gunicorn.worker()) - before < 8 * 1024 * 1024
