"""The real server: one worker that is replaced, a real socket, a real browser's headers."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def server(world):
    """The desk under gunicorn, as the `candour` command runs it: its port, its link and its process."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    os.set_inheritable(listener.fileno(), True)
    process = subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "gunicorn", "--config", "python:deploy.server.gunicorn_config"),
            *("--workers", "1", "--threads", "8", "--bind", f"fd://{listener.fileno()}"),
            "journalist_interface.desk.app:create_app()",
        ],
        env=os.environ
        | {
            "PYTHONPATH": str(PROJECT),
            "CANDOUR_DESK": str(world.settings),
            "CANDOUR_DESK_PORT": str(port),
            "CANDOUR_LINK_FD": str(writing),
        },
        pass_fds=[writing, listener.fileno()],
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    said: list[bytes] = []
    assert process.stderr
    drain = threading.Thread(target=said.extend, args=(process.stderr,))
    drain.start()
    with os.fdopen(reading) as pipe:
        link = pipe.readline().strip()
    yield port, link, process, said
    process.terminate()
    process.wait()
    drain.join()
    process.stderr.close()
    listener.close()


def ask(port, method, path, form=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request(method, path, body=urlencode(form) if form is not None else None, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def test_the_desk_under_its_server(world, server):
    port, link, process, said = server
    reporter = world.reporter()
    world.bundle(world.seal(reporter, "Under the real server."))
    entered, _ = ask(port, "GET", link)
    assert entered.status == 303
    cookie = entered.headers["Set-Cookie"].split(";")[0]
    _, page = ask(port, "GET", "/import", Cookie=cookie)
    csrf = page.split('name="csrf" value="')[1][:64]
    imported, page = ask(port, "POST", "/import", {"csrf": csrf}, Cookie=cookie, Origin="null")
    assert imported.status == 200
    assert "1 new message" in page
    assert (
        "Under the real server." in ask(port, "GET", f"/conversations/{reporter.identity}", Cookie=cookie)[1]
    )
    assert ask(port, "GET", "/", Cookie=cookie, Host="evil.example")[0].status == 421

    # The worker is replaced: the link stays used, and the session goes on.
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    [worker] = [child for child in children if "gunicorn" in Path(f"/proc/{child}/cmdline").read_text()]
    os.kill(int(worker), signal.SIGKILL)
    assert ask(port, "GET", link)[0].status == 403
    assert ask(port, "GET", "/", Cookie=cookie)[0].status == 200
    assert not any(cookie.encode() in line or link.encode() in line for line in said)
