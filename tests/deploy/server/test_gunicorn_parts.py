"""What we take the place of in gunicorn and Werkzeug is as it was when ours was written against it.

These parts are private to their libraries, so an upgrade may change them without a word. Then this fails: read what
changed, follow it in the module that is named, and put the new digest here.
"""

import hashlib
import inspect

import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.http import wsgi
from gunicorn.http.body import Body, LengthReader
from gunicorn.workers.gthread import PollableMethodQueue, TConn, ThreadWorker
from werkzeug.sansio.multipart import MultipartDecoder

PARTS = {
    "ThreadWorker": (ThreadWorker, "deploy/server/worker.py", "2cde92a57d7bae10"),
    "TConn": (TConn, "deploy/server/worker.py", "e3a2878ba952710a"),
    "PollableMethodQueue": (PollableMethodQueue, "deploy/server/worker.py", "5b4a78bd3cfb9745"),
    "Response": (wsgi.Response, "deploy/server/response_head.py", "d67f8e6b29d76622"),
    "Body": (Body, "deploy/server/request_body.py", "2a2afc0b6a50d7ea"),
    "LengthReader": (LengthReader, "deploy/server/request_body.py", "3b01bc7c21a27066"),
    "Arbiter.manage_workers": (
        Arbiter.manage_workers,
        "deploy/server/gunicorn_config.py",
        "518f2dd040ef6809",
    ),
    "Arbiter.spawn_worker": (Arbiter.spawn_worker, "deploy/server/worker_renewal.py", "6abc0d90b0b9f80b"),
    "MultipartDecoder": (MultipartDecoder, "source_interface/intake/form.py", "6980dee3141b27fe"),
}


@pytest.mark.parametrize("name", PARTS)
def test_what_ours_stands_in_for_is_unchanged(name):
    part, follows, known = PARTS[name]
    digest = hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:16]
    assert digest == known, f"{name} changed with an upgrade: follow it in {follows}, then note {digest}"
