"""The control connection that owns a tor: it tells what the tor does, and the tor ends when it closes.

Promises: the tor inherits its end when it starts (`__OwningControllerFD`), so there is nothing to wait for and
no event is missed. The kernel closes our end when this process dies, however it dies; a program that it starts does
not inherit it (PEP 446), only a bare fork would. Source: control-spec, "TAKEOWNERSHIP"; tor_api.h.
"""

import re
import socket
import threading
from contextlib import suppress

import stem
from stem.socket import recv_message

_PHASE = re.compile(r'BOOTSTRAP PROGRESS=(\d+) .*?SUMMARY="([^"]*)"')
_UPLOADED = re.compile(r"^HS_DESC UPLOADED (\w+)")
_DESCRIPTOR = re.compile(r"\$([0-9A-F]{40})")
_REQUESTS = b"SETEVENTS STATUS_CLIENT HS_DESC NEWDESC\r\nGETINFO status/bootstrap-phase\r\n"


class Link:
    """`theirs` is for the tor to inherit. `changed` is notified at each change of what follows it."""

    def __init__(self, changed: threading.Condition) -> None:
        self.progress = 0
        self.phase = ""
        self.ended = False
        self.uploads: dict[str, int] = {}  # onion address without .onion -> descriptors stored on relays
        self.known_relays: set[str] = set()  # fingerprints of whom it has a descriptor
        self._changed = changed
        self._ours, self.theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def open(self) -> None:
        """Begin to listen: the tor has inherited its end."""
        self.theirs.close()
        self._thread.start()

    def close(self) -> None:
        """Let go of the tor; one that still runs ends."""
        self.theirs.close()
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join()
        self._ours.close()
        self.ended = True

    def _listen(self) -> None:
        try:
            self._ours.sendall(_REQUESTS)
            with self._ours.makefile("rb") as stream:
                while True:
                    self._note(recv_message(stream))
        except (OSError, stem.ControllerError):  # the other end has gone
            with self._changed:
                self.ended = True
                self._changed.notify_all()

    def _note(self, message: stem.response.ControlMessage) -> None:
        text = str(message)
        with self._changed:
            if phase := _PHASE.search(text):
                self.progress = int(phase[1])
                self.phase = f"{phase[1]} %, {phase[2]}"
            elif upload := _UPLOADED.match(text):
                self.uploads[upload[1]] = self.uploads.get(upload[1], 0) + 1
            elif text.startswith("NEWDESC "):
                self.known_relays.update(_DESCRIPTOR.findall(text))
            else:
                return
            self._changed.notify_all()
