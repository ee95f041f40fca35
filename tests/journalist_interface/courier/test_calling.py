"""How the courier calls: through Tor alone, with nothing of the environment, and with patience that ends."""

import contextlib
import re
import signal
import socket
import struct
import threading

import pytest
from click.testing import CliRunner

from common.config import BadConfiguration
from common.registry.registry import RegistryRefused
from journalist_interface.courier.cli import courier as command
from journalist_interface.courier.config import read_courier_config
from journalist_interface.courier.errors import CourierError

pytestmark = pytest.mark.slow

ONION = "candourcandourcandourcandourcandourcandourcandourcandour.onion"


@pytest.fixture
def socks(base):
    """A SOCKS5 proxy (RFC 1928) that leads to the collection, whatever name it is asked for."""
    host, port = base.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    asked, ends, threads = [], [], []

    def pump(source, target):
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                ends.append(near)
                near.recv(2 + 255)
                near.sendall(b"\x05\x00")
                head = near.recv(5)
                name = near.recv(head[4]) if head[3] == 3 else b"an address, not a name"
                asked.append((name.decode(), struct.unpack(">H", near.recv(2))[0]))
                near.sendall(b"\x05\x00\x00\x01" + bytes(6))
                far = socket.create_connection((host, int(port)))
                ends.append(far)
                for pair in ((near, far), (far, near)):
                    threads.append(threading.Thread(target=pump, args=pair))
                    threads[-1].start()

    server = threading.Thread(target=serve)
    server.start()
    yield f"socks5h://127.0.0.1:{listener.getsockname()[1]}", asked
    for end in (listener, *ends):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
    for thread in (server, *threads):
        thread.join()


def test_an_onion_is_reached_through_socks_and_its_name_is_resolved_there(world, courier, socks):
    address, asked = socks
    world.put("north", b"x" * 16384)
    courier.write_settings(f"http://{ONION}")
    assert courier.run("--socks", address, "collect", "--to", courier.stick).exit_code == 0
    assert set(asked) == {(ONION, 80)}
    courier.write_settings(courier.address)
    assert len(courier.carried()) == 1


def test_socks_can_stand_in_the_settings(world, courier, socks):
    address, asked = socks
    courier.write_settings(f"http://{ONION}", socks=address)
    assert courier.collect().exit_code == 0
    assert asked


@pytest.mark.parametrize(
    "address", ["socks5://127.0.0.1:9050", "http://127.0.0.1:8118", "127.0.0.1:9050", "socks5h://x"]
)
def test_a_proxy_that_would_let_others_learn_names_is_refused(courier, address):
    result = courier.run("--socks", address, "collect", "--to", courier.stick)
    assert result.exit_code == 1
    assert "socks5h" in result.stderr


def test_an_onion_without_tor_is_refused_before_anybody_is_asked_for_its_name(courier):
    courier.write_settings(f"http://{ONION}")
    with pytest.raises(BadConfiguration, match="through Tor"):
        read_courier_config(courier.settings)


def test_passwords_of_the_environment_are_not_sent(courier, line, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    sent = []

    def note(request):
        sent.append(request)
        return True

    line.before_request = note
    assert courier.run("collect", "--to", courier.stick, NETRC=str(tmp_path / "netrc")).exit_code == 0
    assert sent
    assert not any(b"Authorization" in request for request in sent)


def test_proxies_of_the_environment_are_not_used(courier):
    nowhere = "http://127.0.0.1:1"
    assert courier.run("collect", "--to", courier.stick, http_proxy=nowhere, ALL_PROXY=nowhere).exit_code == 0


def test_ctrl_c_ends_the_waiting_at_once(courier):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        courier.write_settings(f"http://127.0.0.1:{listener.getsockname()[1]}")
        process = courier.start("collect", "--to", courier.stick)
        for _ in range(5):  # now it pauses for at least four seconds
            listener.accept()[0].close()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=3.5)
    assert process.returncode == 1
    assert "Traceback" not in said


def test_an_older_registry_than_one_already_seen_is_refused_after_a_restart_too(world, courier):
    for version in (7, 8):
        world.write_registry(version=version)
        assert courier.deliver().exit_code == 0
    world.write_registry(version=7)
    result = courier.deliver()
    assert result.exit_code == 1
    assert (
        "The registry is refused: its version 7 is older than 8, seen before, so put the newest"
        in result.stderr
    )
    with pytest.raises(RegistryRefused, match="older than 8"):
        courier.config().its_unit()  # nothing of it is in a process's memory alone
    world.write_registry(version=8)
    assert courier.deliver().exit_code == 0


def test_a_wrong_clock_or_key_is_told_in_the_collection_s_words(world, courier):
    world.write_registry(version=2, without=("north",))
    result = courier.collect()
    assert result.exit_code == 1
    assert re.search(
        r"The collection refuses this courier: The signature does not hold\. Check", result.stderr
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b'HTTP/1.1 200 OK\r\nContent-Length: 49\r\n\r\n{"envelopes":[{"id":"../x","day":"x","size":"1"}]}',
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b" " * 9_000_000,
    ],
)
def test_an_answer_that_is_no_collection_s_is_refused(courier, answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        courier.write_settings(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def serve():
            near, _ = listener.accept()
            with near, contextlib.suppress(OSError):
                near.recv(65536)
                near.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(CourierError, match="not a collection"):
            courier.collect_impatiently()
        thread.join()


def test_what_a_collection_says_cannot_steer_the_terminal(courier):
    body = b'{"error":"\\u001b[2Jgone' + b"!" * 5000 + b'"}'
    with socket.create_server(("127.0.0.1", 0)) as listener:
        courier.write_settings(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def serve():
            near, _ = listener.accept()
            with near:
                near.recv(65536)
                near.sendall(b"HTTP/1.1 400 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(CourierError) as refused:
            courier.collect_impatiently()
        thread.join()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


def test_the_key_is_shown_nowhere(courier):
    config = courier.config()
    assert "PrivateKey" not in repr(config)
    assert config.registry_root.hex() not in repr(config)


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", bytes(range(128, 168))]
)
def test_a_key_that_is_none_is_named(courier, content):
    (courier.folder / "courier.key").write_bytes(content)
    result = courier.collect()
    assert result.exit_code == 1
    assert "courier.key" in result.stderr


def test_without_the_demo_a_round_says_how_to_make_it(tmp_path):
    result = CliRunner().invoke(command, ["round", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "courier.toml" in result.stderr
