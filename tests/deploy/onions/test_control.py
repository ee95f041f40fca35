"""Who has tor's place at its control socket learns nothing: no file's content, no cookie that it does not know."""

import hmac
import os
import socketserver
import threading
from pathlib import Path

import pytest

from deploy.onions import control
from deploy.onions.control import connected
from deploy.onions.errors import TorUnreachable
from deploy.onions.torrc import TORRC

TOR = 65534  # a user that is not root
SERVER = b"Tor safe cookie authentication server-to-controller hash"  # control-spec, "AUTHCHALLENGE"
CLIENT = b"Tor safe cookie authentication controller-to-server hash"
NONCE = bytes(range(32))


class _Speaking(socketserver.StreamRequestHandler):
    def handle(self):
        assert isinstance(self.server, Pretender)
        for line in self.rfile:
            self.server.heard.append(line.decode().strip())
            self.wfile.write(self.server.answer(self.server.heard[-1]))


class Pretender(socketserver.ThreadingUnixStreamServer):
    """Speaks as tor does, names `cookie` as its cookie file and knows `known` of it."""

    daemon_threads = True

    def __init__(self, path, cookie, methods="COOKIE,SAFECOOKIE", known=bytes(32)):
        self.heard, self.cookie, self.methods, self.known = [], cookie, methods, known
        super().__init__(str(path), _Speaking)

    def answer(self, line):
        word, *rest = line.split()
        if word == "PROTOCOLINFO":
            offer = f'250-AUTH METHODS={self.methods} COOKIEFILE="{self.cookie}"'
            return f'250-PROTOCOLINFO 1\r\n{offer}\r\n250-VERSION Tor="0.4.9.1"\r\n250 OK\r\n'.encode()
        if word == "AUTHCHALLENGE":
            proof = hmac.digest(SERVER, self.known + bytes.fromhex(rest[1]) + NONCE, "sha256")
            return f"250 AUTHCHALLENGE SERVERHASH={proof.hex()} SERVERNONCE={NONCE.hex()}\r\n".encode()
        return b"250 OK\r\n"

    def words(self):
        return {line.split()[0] for line in self.heard}


@pytest.fixture
def folder(short_folder):
    made = short_folder()
    made.chmod(0o711)
    return made


@pytest.fixture
def pretend(folder):
    servers = []

    def start(cookie, **more):
        server = Pretender(folder / "control", cookie, **more)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def secret_file(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(os.urandom(32))
    path.chmod(0o600)
    return path


def refused(folder, words):
    with pytest.raises(TorUnreachable, match=words), connected(folder / "control"):
        pass


def test_what_knows_the_cookie_is_believed_and_the_cookie_itself_is_never_sent(folder, pretend):
    cookie = secret_file(folder / "cookie")
    server = pretend(cookie, known=cookie.read_bytes())
    with connected(folder / "control"):
        pass
    assert {"AUTHCHALLENGE", "AUTHENTICATE"} <= server.words()
    assert cookie.read_bytes().hex() not in " ".join(server.heard).lower()


def test_a_file_is_never_sent_as_it_is(folder, pretend):
    server = pretend(secret_file(folder / "pepper"), methods="COOKIE")
    refused(folder, "offers no cookie")
    assert server.words() == {"PROTOCOLINFO"}


def test_what_does_not_know_the_cookie_gets_nothing_made_of_it(folder, pretend):
    server = pretend(secret_file(folder / "pepper"))
    refused(folder, "does not let us in")
    assert server.words() == {"PROTOCOLINFO", "AUTHCHALLENGE"}


@pytest.mark.parametrize("is_link", [False, True])
def test_nothing_among_the_settings_is_taken_for_a_cookie(folder, pretend, monkeypatch, is_link):
    monkeypatch.setattr(control, "SETTINGS", str(folder / "settings"))
    named = pepper = secret_file(folder / "settings" / "pepper")
    if is_link:
        (folder / "linked").symlink_to(pepper.parent)
        named = folder / "linked" / "pepper"
    server = pretend(named, known=pepper.read_bytes())
    refused(folder, "none of tor's")
    assert server.words() == {"PROTOCOLINFO"}


def test_a_link_is_no_cookie(folder, pretend):
    cookie = secret_file(folder / "cookie")
    (folder / "link").symlink_to(cookie)
    server = pretend(folder / "link", known=cookie.read_bytes())
    refused(folder, "none of tor's")
    assert server.words() == {"PROTOCOLINFO"}


def test_on_the_host_only_its_own_cookie_is_read(folder, pretend, monkeypatch):
    assert f"CookieAuthFile {control.HOST_COOKIE}\n" in TORRC.read_text()
    assert f"ControlSocket {control.HOST_CONTROL} " in TORRC.read_text()
    monkeypatch.setattr(control, "HOST_CONTROL", folder / "control")
    monkeypatch.setattr(control, "HOST_COOKIE", secret_file(folder / "control.authcookie"))
    other = secret_file(folder / "other")
    server = pretend(other, known=other.read_bytes())
    refused(folder, "none of tor's")
    assert server.words() == {"PROTOCOLINFO"}
    server.cookie, server.known = control.HOST_COOKIE, control.HOST_COOKIE.read_bytes()
    with connected(folder / "control"):
        pass


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_root_reads_the_cookie_as_the_socket_s_owner(folder, pretend):
    cookie = secret_file(folder / "cookie")
    server = pretend(cookie, known=cookie.read_bytes())
    os.chown(folder / "control", TOR, TOR)
    refused(folder, "does not let us in")  # the file is root's
    os.chown(cookie, TOR - 1, TOR)
    refused(folder, "none of tor's")
    assert server.words() == {"PROTOCOLINFO"}
    os.chown(cookie, TOR, TOR)
    with connected(folder / "control"):
        pass
    assert "AUTHENTICATE" in server.words()
    assert (os.geteuid(), os.getegid()) == (0, 0)
