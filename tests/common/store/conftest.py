"""A fresh store with blobs, and what tests put into it."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.days import today
from common.store.kept import SealedReply
from common.store.opening import open_store
from common.store.repository import Store


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
        with store.blobs.pending() as blob:
            blob.path.write_bytes(content)
            store.accept(
                blob,
                receipt_tag=tag,
                unit=unit,
                day=day or today(),
                header=SealedReply(header or secrets.token_bytes(16), os.urandom(200)),
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
            if path.is_file() and path.name != "writers.lock" and "set-aside" not in path.parts
        )

    return found
