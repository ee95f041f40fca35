"""The signed registry as a file that may be replaced while a server runs.

Fails closed: while the file is missing, unsigned, altered, expired, or older than one that was seen before, there
is no registry, and whoever asks takes nothing in and gives nothing out. Looking costs one stat(2) a request.
"""

import logging
import threading
from pathlib import Path

from common.config import ServerConfig, load_registry
from common.days import today
from common.gpg.runner import private_home
from common.registry.registry import Registry, RegistryRefused, check_date
from common.registry.version import FILE, check_not_older, keep_up

_log = logging.getLogger("candour.registry")
_Stamp = tuple[int, int, int, int]


class RegistryFile:
    """The registry in `file`, signed by `root` (Ed25519, 32 bytes). Safe to share between threads.

    `remembered` names a file that keeps the highest version seen, so that a restart does not forget it.
    `grace_days`: for how many days after its last one a registry may still be used.
    """

    def __init__(self, file: Path, root: bytes, remembered: Path | None = None, grace_days: int = 0) -> None:
        self._file = file
        self._root = root
        self._remembered = remembered
        self._grace_days = grace_days
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._newest = 0
        self._found: Registry | RegistryRefused = RegistryRefused("it was not read yet")

    @classmethod
    def of(cls, config: ServerConfig) -> "RegistryFile":
        """The servers' registry; they remember together how new the newest was."""
        remembered = private_home(config.run) / FILE
        return cls(config.registry, config.registry_root, remembered, config.registry_grace_days)

    def current(self) -> Registry:
        """The registry that holds now. Raises RegistryRefused."""
        with self._lock:
            stamp = self._look()
            if stamp is None or stamp != self._stamp:
                self._found = self._load()
                self._stamp = stamp  # looked up before reading: a change in between is seen next time
            found = self._found
        if isinstance(found, RegistryRefused):
            raise found
        check_date(found, today(), self._grace_days)
        return found

    def _look(self) -> _Stamp | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size

    def _load(self) -> Registry | RegistryRefused:
        try:
            registry = load_registry(self._file, self._root, self._grace_days)
            check_not_older(registry, self._newest)
            if self._remembered:
                keep_up(registry, self._root, self._remembered)
        except RegistryRefused as refused:
            _log.error("%s Until it is mended nothing is taken in or given out.", refused)
            return refused
        self._newest = registry.version
        return registry
