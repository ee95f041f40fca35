"""Everything that real servers write while much goes wrong, line by line against the closed list of forms."""

import json
import os
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from common.days import today
from deploy.run import servers
from deploy.run.supervisor import Supervisor
from deploy.server.log_forms import GUNICORN_HEAD, is_allowed
from keys.registry.signature import sign_registry

pytestmark = pytest.mark.slow

PLANTED = "Zanzibar-the-planted-word"


def lines_of(said):
    text = said.read_text()
    assert PLANTED not in text
    return [GUNICORN_HEAD.sub("", line) for line in text.splitlines()]


def wrong_requests(server):
    """What is not HTTP, not a form, too large, or cut short."""
    server.say(PLANTED.encode() * 40 + b"\r\n\r\n")
    server.say(b"GET /" + PLANTED.encode() + b" HTTP/9.9\r\n\r\n")
    server.say(b"POST /start HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + PLANTED.encode() + b"\r\n\r\n")
    server.say(b"\x16\x03\x01" + os.urandom(200))
    reporter = server.reporter()
    assert reporter.get("/" + PLANTED).status == 404
    assert reporter.ask("PUT", "/start", PLANTED.encode()).status in (400, 403, 405)
    reporter.start()
    path, body = reporter.message(PLANTED, [(PLANTED, b"x" * 200_000)])
    server.say(server.head(reporter, path, len(body)) + body[:90_000])  # cut short
    reporter.ask("POST", path, body[:50], Content_Type="multipart/form-data")
    reporter.ask("POST", path, body, Content_Type="text/" + PLANTED)


def kill_a_gpg(server, wait_until):
    """In the middle of a report."""
    reporter = server.reporter()
    reporter.start()
    path, body = reporter.message(PLANTED, [("a", b"x" * 3_000_000)])
    with server.connect() as connection:
        connection.sendall(server.head(reporter, path, len(body), b"Connection: close") + body[:-1000])
        wait_until(server.gpgs, "gpg")
        for gpg in server.gpgs():
            os.kill(gpg, signal.SIGKILL)
        with suppress(OSError):
            connection.sendall(body[-1000:])
            while connection.recv(65536):
                pass


def test_all_that_the_source_interface_says_has_a_listed_form(fresh_server, wait_until, registry, root_key):
    server = fresh_server
    reporter = server.reporter()
    words = reporter.report(PLANTED)
    reporter.post("/noted")
    server.reporter().come_back(words)
    wrong_requests(server)
    kill_a_gpg(server, wait_until)
    reporter = server.reporter()
    reporter.start()
    settings = server.data / "registry.json"
    good = settings.read_bytes()
    over = replace(registry, issued=today() - timedelta(days=9), expires=today() - timedelta(days=1))
    settings.write_bytes(sign_registry(over, root_key.file))
    reporter.write(PLANTED)
    settings.write_bytes(good)
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(server.workers()) == 2 and victim not in server.workers(), "a new worker")
    server.process.terminate()
    server.process.wait(20)
    lines = lines_of(server.said)
    assert [line for line in lines if not is_allowed(line)] == []
    told = "\n".join(lines)
    for part in ("not HTTP", "could not be kept", "registry is refused", "SIGKILL"):
        assert part in told, told


def test_all_that_the_collection_says_has_a_listed_form(start_server, wait_until):
    """It says nothing of bad requests, and what is wrong when its database or its registry breaks."""
    server = start_server()
    server.kill()
    listener = servers.listen("collection", 0, "--port")
    port, said = servers.port_of(listener), []
    with Supervisor(lambda _, line: said.append(line)) as supervisor:
        supervisor.start(servers.collection(server.data / "server.toml", listener))
        supervisor.wait_until_ready()
        watching = threading.Thread(target=supervisor.wait, daemon=True)
        watching.start()

        def ask(request):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        planted = PLANTED.encode()
        ask(planted * 40 + b"\r\n\r\n")
        ask(b"GET /v1/envelopes?after=" + planted + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        (server.data / "registry.json").write_bytes(planted)
        ask(
            b"GET /v1/envelopes HTTP/1.1\r\nHost: x\r\nSignature: "
            + planted
            + b"\r\nConnection: close\r\n\r\n"
        )
        wait_until(lambda: len(said) >= 2, "what it says")
        os.kill(os.getpid(), signal.SIGTERM)  # the supervisor takes it for a stop
        watching.join(30)
    lines = [GUNICORN_HEAD.sub("", line) for line in said]
    assert [line for line in lines if not is_allowed(line)] == []
    assert PLANTED not in "\n".join(said)
    assert any("registry is refused" in line for line in lines)


def test_a_disk_that_is_full_is_told_without_the_words(start_server, tmp_path_factory, server):
    data = tmp_path_factory.mktemp("full") / "data"
    subprocess.run(["cp", "-a", server.data, data], check=True)
    settings = data / "server.toml"
    settings.write_text(settings.read_text().replace("keep_free_bytes = 0", f"keep_free_bytes = {2**60}"))
    full = start_server(data)
    reporter = full.reporter()
    reporter.start()
    assert reporter.write(PLANTED).status >= 500
    full.kill()
    assert lines_of(full.said) == [
        "The disk has no room for a copy of the database: it was not written anew",
        "the disk is nearly full: a message was refused",
    ]


@pytest.mark.parametrize("broken", ["registry.json", "pepper"])
def test_a_server_that_cannot_start_says_why_in_one_line(server, tmp_path, broken):
    data = tmp_path / "data"
    subprocess.run(["cp", "-a", server.data, data], check=True)
    (data / broken).write_text(json.dumps({"planted": PLANTED}))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        starting = servers.source_interface(data / "server.toml", listener)
        said = tmp_path / "said"
        with said.open("ab") as output:
            ended = subprocess.run(
                servers.command(starting),
                env=servers.environment(starting),
                cwd=servers.PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[listener.fileno()],
                timeout=60,
                check=False,
            )
    lines = lines_of(said)
    assert [line for line in lines if not is_allowed(line)] == []
    assert ended.returncode != 0
    assert broken.partition(".")[0] in "\n".join(lines)
