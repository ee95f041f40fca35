"""No trace of a report, its files, its names, its codename or its keys outside memory and the seal."""

import base64
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from common.conversation import codename
from common.conversation.derivation import conversation_secrets, derive_root
from common.secret import Secret
from keys.registry.signature import sign_registry

pytestmark = pytest.mark.slow

URLSAFE = bytes.maketrans(b"+/", b"-_")


@cache
def forms(secret: bytes) -> set[bytes]:
    """A secret raw and encoded; base64 at each alignment, without its edges."""
    shifted = [base64.b64encode(bytes(n) + secret)[4 if n else 0 : -4] for n in range(3)]
    text = [quote(secret, safe="").encode(), quote_plus(secret).encode(), quote(secret).encode().lower()]
    wide = secret.decode("utf-8", "ignore").encode("utf-16-le")
    found = {secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode(), *shifted, *text}
    return {form for form in {*found, *(one.translate(URLSAFE) for one in shifted), wide} if len(form) >= 8}


@dataclass
class Hunt:
    """Looks for secrets in all that a server can leave behind or show to others on the machine."""

    secrets: dict[str, bytes]

    def in_bytes(self, content: bytes, where: object) -> list[str]:
        return [
            f"{name} in {where}"
            for name, secret in self.secrets.items()
            if any(form in content for form in forms(secret))
        ]

    def in_folder(self, folder: Path) -> list[str]:
        found = []
        for path in sorted(folder.rglob("*")):
            found += self.in_bytes(os.fsencode(path.name), f"the name of {path}")
            if path.is_file():
                found += self.in_bytes(path.read_bytes(), path)
        return found

    def in_processes(self, pids: list[int]) -> list[str]:
        found = []
        for process in (Path(f"/proc/{pid}") for pid in pids):
            with suppress(OSError):
                found += self.in_bytes((process / "cmdline").read_bytes(), process / "cmdline")
            with suppress(OSError):  # to others than root a hardened process does not show this at all
                found += self.in_bytes((process / "environ").read_bytes(), process / "environ")
                for file in (process / "fd").iterdir():
                    if file.is_file():
                        found += self.in_bytes(os.fsencode(file.readlink()) + file.read_bytes(), file)
        return found


@pytest.fixture(scope="module")
def visited(start_server, hear, wait_until, identity_keys, registry, root_key):
    """A server that a reporter with known secrets uses: a report half sent at first, then whole, then a return."""
    server = start_server()
    held = replace(registry, version=2, units=(identity_keys.unit, *registry.units[1:]))
    (server.folder / "new").write_bytes(sign_registry(held, root_key.file))
    (server.folder / "new").rename(server.data / "registry.json")
    text = "Zanzibar, the planted words of a report é"
    name, content = "Quetzalcoatl-planted-name.txt", b"Popocatepetl, planted in a file\n"
    reporter = server.reporter()
    reporter.start()
    contact = "Krakatoa, planted in the contact details é"
    path, body = reporter.message(text, [(name, content * 100_000)], contact=contact)
    early = Hunt(
        {"text": text.encode(), "name": name.encode(), "content": content, "contact": contact.encode()}
    )
    with server.connect() as connection:
        connection.sendall(server.head(reporter, path, len(body), b"Connection: close") + body[:-50_000])
        wait_until(lambda: server.gpgs() and server.staging(), "gpg at work")
        meanwhile = early.in_processes(server.processes()) + early.in_folder(server.folder)
        assert server.gpgs(), "gpg must have been looked at while it worked"
        connection.sendall(body[-50_000:])
        assert hear(connection).startswith(b"HTTP/1.1 303 ")
    cookies = [reporter.cookie]
    words = reporter.codename()
    reporter.post("/noted")
    later = server.reporter()
    later.come_back([words[0].upper(), *words[1:]])
    later.choose()
    later.write(text, contact=contact)
    later.get("/conversation")
    cookies += [reporter.cookie, later.cookie]
    later.post("/answer/delete", {"answer": "3", "csrf": later.forms["/leave"]["csrf"]})
    pepper = Secret((server.data / "pepper").read_bytes())
    root = derive_root(codename.read(" ".join(words)), pepper)
    keys = conversation_secrets(root)
    pairs = {
        f"words {n}": f"{words[n]}{between}{words[n + 1]}".encode() for n in range(6) for between in (" ",)
    }
    quoted = {f"listed words {n}": f'{words[n]}", "{words[n + 1]}'.encode() for n in range(6)}
    known = (
        early.secrets | pairs | quoted | {"root": root.reveal(), "root in hex": root.reveal().hex().encode()}
    )
    known |= {f"cookie {n}": cookie.encode() for n, cookie in enumerate(cookies)}
    known |= {"receipt key": keys.receipt_key.reveal(), "mailbox key": keys.mailbox_key.reveal()}
    known |= {"header tag key": keys.header_tag_key.reveal()}
    known |= {"header key": keys.header_key.reveal(), "reply seed": keys.reply_seed.reveal()}
    yield server, Hunt(known), meanwhile
    server.kill()


def test_nothing_of_a_visit_is_found_anywhere(visited):
    server, hunt, meanwhile = visited
    assert meanwhile == []
    assert hunt.in_folder(server.data) == []
    assert hunt.in_folder(server.folder) == []  # home, temporary files, all that it said
    assert hunt.in_processes(server.processes()) == []
    assert hunt.in_folder(Path("/dev/shm")) == []
    server.stop()
    assert hunt.in_folder(server.data) == []
    assert hunt.in_folder(server.folder) == []


def test_the_hunt_would_have_found_it(visited, tmp_path):
    server, hunt, _ = visited
    copy = tmp_path / "copy"
    shutil.copytree(server.data, copy, ignore=shutil.ignore_patterns("??", "*-wal", "*-shm"))
    assert hunt.in_folder(copy) == []
    database = copy / "candour.sqlite"
    clean = database.read_bytes()
    for name, secret in hunt.secrets.items():
        for form in forms(secret):
            assert f"{name} in x" in hunt.in_bytes(b"around" + form + b"around", "x"), (name, form)
        database.write_bytes(clean + secret)
        assert f"{name} in {database}" in hunt.in_folder(copy)
    database.write_bytes(clean)
    (copy / hunt.secrets["name"].decode()).touch()
    assert len(hunt.in_folder(copy)) == 1
