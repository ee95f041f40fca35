"""A fresh store with blobs, and what tests put into it."""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.config import Limits
from common.days import today
from common.envelope_id import FORWARDED_PREFIX
from common.registry.registry import Registry
from common.registry.units import Status, Unit, UnitKind
from common.store.database import open_store
from common.store.inbox import Inbox
from common.store.outbox import Outbox
from common.store.repository import Store
from common.store.settlement import Settlement
from common.store.values import Addressed, SealedReply
from common.transport import post
from common.transport.forwarding import Slip, sign_slip

HOUR = "2026-11-28T18"
ROOM = Limits(keep_free_bytes=0, reserve_for_reports_bytes=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{folder / 'candour.sqlite'}", folder / "blobs")
    yield opened
    opened.engine.dispose()


@pytest.fixture
def another_process(store: Store, folder: Path) -> Iterator[Store]:
    """The same store, opened a second time, as by another server process."""
    opened = open_store(f"sqlite:///{folder / 'candour.sqlite'}", folder / "blobs")
    yield opened
    opened.engine.dispose()


@pytest.fixture
def put(store: Store) -> Callable[..., bytes]:
    """Accepts a message; gives its receipt tag back."""

    def put(
        tag: bytes | None = None, *, unit: str = "u", day=None, header: bytes | None = None, content=b"x"
    ):
        tag = tag or secrets.token_bytes(16)
        store.receive(
            [Addressed(tag, unit)],
            SealedReply(header or secrets.token_bytes(16), os.urandom(9328)),
            day or today(),
            lambda outputs: os.write(outputs[0], content),
        )
        return tag

    return put


@pytest.fixture
def blob_files(folder: Path) -> Callable[[], list[Path]]:
    """All files of the blob folder, but the writers' lock and what is set aside."""

    def found() -> list[Path]:
        return sorted(
            path
            for path in (folder / "blobs").rglob("*")
            if path.is_file() and path.suffix != ".lock" and not {"pool", "set-aside"} & set(path.parts)
        )

    return found


class Desk:
    """A unit's desk: what it signs."""

    def __init__(
        self, unit_id: str, status: Status = Status.ENROLLED, key: Ed25519PrivateKey | None = None
    ) -> None:
        self.key = key or Ed25519PrivateKey.generate()
        public = self.key.public_key().public_bytes_raw()
        self.unit = Unit(unit_id, unit_id, UnitKind.UNIT, status, (), "c", "F" * 40, public, {"c": b"c" * 32})

    def reply(self, *candidates: bytes, content: bytes = b"", day=None) -> bytes:
        """A post: an answer to some slots, or to three of its own."""
        slots = candidates or tuple(os.urandom(16) for _ in range(3))
        ciphertext = content.ljust(9328, b"\0") if content else os.urandom(9328)
        return post.sign_reply(self.unit.id, day or today(), slots, ciphertext, self.key)

    def receipts(self, held: dict[str, bytes], day=None) -> bytes:
        """A post: by id the content that it holds."""
        digests = {one: hashlib.sha256(content).hexdigest() for one, content in held.items()}
        return post.sign_receipts(self.unit.id, day or today(), digests, self.key)

    def slip(self, content: bytes, to: str, day=None, **other) -> tuple[str, bytes]:
        """An id and a slip for an envelope that it passes on."""
        sha256 = hashlib.sha256(content).hexdigest()
        identity = FORWARDED_PREFIX + sha256[:28]
        slip = Slip(identity, self.unit.id, to, day or today(), len(content), sha256)
        return identity, sign_slip(replace(slip, **other), self.key)


@pytest.fixture
def desk() -> Desk:
    return Desk("u")


@pytest.fixture
def other_desk() -> Desk:
    return Desk("other")


@pytest.fixture
def inbox(folder: Path) -> Inbox:
    return Inbox(folder / "inbox")


@pytest.fixture
def outbox(folder: Path) -> Iterator[Outbox]:
    opened = Outbox(folder / "outbox", folder / "blobs")
    yield opened
    opened.close()


@pytest.fixture
def settle(store: Store, inbox: Inbox, outbox: Outbox, desk: Desk, other_desk: Desk) -> Callable[..., None]:
    """Settles, for two units that are enrolled."""

    def settle(hour: str = HOUR, limits: Limits = ROOM, units: tuple[Unit, ...] = ()) -> None:
        known = units or (desk.unit, other_desk.unit)
        Settlement(store, inbox, outbox, Registry(1, today(), today(), (), known), limits).run(hour)

    return settle


@pytest.fixture
def forward(inbox: Inbox) -> Callable[..., str]:
    """Delivers an envelope that a desk passes on; gives its id back."""

    def forward(desk: Desk, content: bytes, to: str, **other) -> str:
        identity, slip = desk.slip(content, to, **other)
        inbox.begin(desk.unit.id, identity, slip)
        inbox.append(desk.unit.id, identity, 0, content)
        assert inbox.finish(desk.unit.id, identity, hashlib.sha256(content).hexdigest())
        return identity

    return forward
