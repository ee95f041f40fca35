"""Identity holders at their desk, a stick, and requests that a unit has signed."""

import html
import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from werkzeug.test import TestResponse

from common.days import today
from common.gpg.keyring import end_agent
from common.gpg.sealing import Sealer
from common.registry.holders import GNUPG_HOME, HOLDERS
from common.report import contact, disclosure
from common.report.contact import Contact, SealedContact
from common.report.disclosure import Request, Why
from journalist_interface.identity.app import create_app
from journalist_interface.identity.settings import SETTINGS
from keys.registry.signature import sign_registry
from tests.conftest import IdentityKeys, UnitKeys
from tests.source_interface.conftest import signer

__all__ = ["signer"]

PORT = 8085
REACH = "Robin, by the allotments; Kestrel-in-the-rafters 07700 900123"
CONVERSATION = "0f" * 16


def set_up(folder: Path, keys: IdentityKeys, registry: bytes, root: bytes, stick: Path) -> Path:
    """A desk's folder with the keys of a ceremony in it: its settings."""
    folder.mkdir(mode=0o700)
    for name in (GNUPG_HOME, HOLDERS):
        (folder / name).symlink_to(keys.folder / name)
    (folder / "registry.json").write_bytes(registry)
    (folder / "registry-root.pub").write_text(root.hex())
    told = {"unit": keys.unit.id, "registry": "registry.json", "registry_root": "registry-root.pub"}
    told["stick"] = str(stick)
    file = folder / SETTINGS
    file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items()))
    return file


@dataclass
class Holders:
    """The browser at the identity holders' desk."""

    app: Flask
    base: str = f"http://127.0.0.1:{PORT}"

    def __post_init__(self) -> None:
        self.client = self.app.test_client()
        assert self.client.get(self.app.config["ONE_TIME_LINK"], base_url=self.base).status_code == 303

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, base_url=self.base)

    def only(self) -> str:
        """The address of the one request on the stick."""
        [address] = re.findall(r'href="(/requests/[^"]+)"', self.get("/").text)
        return address

    def post(self, path: str, fields: dict[str, str]) -> TestResponse:
        """Send a form of the request's page."""
        page = self.get(path.rpartition("/")[0]).text
        found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        return self.client.post(path, data=found | fields, base_url=self.base)

    def open(self, *given: tuple[str, str], why: str = "danger", path: str = "", **more: str) -> TestResponse:
        fields = {"why": why} | more
        for number, (name, passphrase) in enumerate(given, 1):
            fields |= {f"name{number}": name, f"passphrase{number}": passphrase}
        return self.post(f"{path or self.only()}/open", fields)

    def refuse(self, given: tuple[str, str], why: str = "harm") -> TestResponse:
        return self.post(f"{self.only()}/refuse", {"name": given[0], "passphrase": given[1], "why": why})


def words(answer: TestResponse) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


@pytest.fixture
def registry_with(identity_keys, registry, root_key) -> Callable[..., bytes]:
    """A signed registry in which the test unit has an identity key."""

    def make(**changed: object) -> bytes:
        unit = replace(identity_keys.unit, **changed)
        return sign_registry(replace(registry, units=(unit, *registry.units[1:])), root_key.file)

    return make


@pytest.fixture
def settings(tmp_path, identity_keys, registry_with, root_key, stick) -> Iterator[Path]:
    yield set_up(tmp_path / "held", identity_keys, registry_with(), root_key.public, stick)
    end_agent(identity_keys.folder / GNUPG_HOME)


@pytest.fixture
def holders(settings: Path) -> Holders:
    return Holders(create_app(settings, PORT))


@pytest.fixture
def given(identity_keys) -> list[tuple[str, str]]:
    """Holders and their passphrases."""
    return list(identity_keys.passphrases.items())


@pytest.fixture
def ask(identity_keys, unit_keys, signer, stick, tmp_path) -> Callable[..., Path]:
    """Writes a request onto the stick: its file."""

    def write(
        text: str = REACH,
        *,
        inside: str = CONVERSATION,
        by: tuple[UnitKeys, Ed25519PrivateKey] | None = None,
        handed_on: bool = False,
        **changed: str,
    ) -> Path:
        (tmp_path / "identity.asc").write_text(identity_keys.unit.identity_certificate)
        plain = contact.compose(Contact(text, inside))
        sealed = Sealer(tmp_path / "sealing").seal_in_memory(plain, [tmp_path / "identity.asc"])
        named = {"unit": "test-unit", "key": identity_keys.unit.identity_fingerprint} | changed
        asks, key = by or (unit_keys, signer(unit_keys))
        request = Request(
            *(secrets.token_hex(16), asks.unit.id, CONVERSATION, Why.DANGER, today(), handed_on),
            contact=SealedContact(named["unit"], named["key"], sealed),
        )
        return disclosure.write_file(stick, "request", disclosure.sign_request(request, key))

    return write
