"""The signed registry as a file that may be replaced while a server runs."""

import threading
from datetime import date
from pathlib import Path

from common.config import load_registry
from common.sealing import today
from common.units import Registry, RegistryRefused


class RegistryFile:
    """Gives the registry as it is now: read again when the file or the day changes, otherwise a glance."""

    def __init__(self, file: Path, root: bytes) -> None:
        self._file = file
        self._root = root
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int, date] | None = None
        self._registry: Registry | None = None

    def current(self) -> Registry:
        """The registry. Raises RegistryRefused: whoever asks then takes nothing in and gives nothing out."""
        try:
            status = self._file.stat()
        except OSError as error:
            raise RegistryRefused("it is not there") from error
        seen = (status.st_ino, status.st_mtime_ns, status.st_size, today())
        with self._lock:
            if self._registry is None or self._seen != seen:
                self._registry = None
                self._registry = load_registry(self._file, self._root)
                self._seen = seen
            return self._registry
