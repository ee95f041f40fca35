"""The registry as the running collection knows it: read at start, and again as soon as its file changes.

Fails closed: while the file is missing, unsigned, altered, expired, or older than one seen before, nobody is let
in. Looking costs one stat(2) a request.
"""

import logging
import threading
from pathlib import Path

from common.config import load_registry
from common.sealing import today
from common.units import Registry, RegistryRefused

_log = logging.getLogger("candour.collection")
_Stamp = tuple[int, int, int, int]


class RegistryFile:
    """The registry in `file`, signed by `root` (Ed25519, 32 bytes). Safe to share between threads."""

    def __init__(self, file: Path, root: bytes) -> None:
        self._file = file
        self._root = root
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._read: Registry | None = None
        self._newest = 0

    def current(self) -> Registry:
        """The registry that holds now. Raises RegistryRefused."""
        with self._lock:
            stamp = self._look()
            if stamp is None or stamp != self._stamp:
                self._read = self._load()
                self._stamp = stamp  # looked up before reading: a change in between is seen next time
            read = self._read
        if read is None:
            raise RegistryRefused("it is missing, or not valid")
        if today() > read.expires:
            raise RegistryRefused(f"it expired on {read.expires}")
        return read

    def _look(self) -> _Stamp | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size

    def _load(self) -> Registry | None:
        try:
            registry = load_registry(self._file, self._root)
            if registry.version < self._newest:
                raise RegistryRefused("it is older than the one before")
        except RegistryRefused as refused:
            _log.error("%s Until then nobody is let in.", refused)
            return None
        self._newest = registry.version
        return registry
