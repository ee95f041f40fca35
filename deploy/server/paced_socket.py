"""A connection whose other side must keep a least pace while a thread waits for it.

What counts is the time spent waiting: for bytes to read, or for room to write. Over each `pace.OVER_SECONDS` of it the
other side must have sent or taken `pace.LEAST_BYTES_A_SECOND`. However long our own work takes, it is not held against
the other side; however large a file is, it may take as long as it moves.

The kernel's own timeouts (SO_RCVTIMEO, SO_SNDTIMEO) begin anew with each byte, so a drip keeps them off for ever. Here
no call blocks in the kernel but poll(2), for a second at most.
"""

import fcntl
import os
import select
import socket
import sys
import termios
from time import monotonic
from typing import Any

from common.transport import pace
from common.transport.pace import Crowded, TooSlow

_BUFFER = 256 * 1024  # bytes of an answer that the kernel takes: no thread waits until a page has been read
_MOST_AT_ONCE = 1024 * 1024
_MOST_KEPT = 1024 * 1024
_LOOK_SECONDS = 1.0
_NEVER = float("inf")


class PacedSocket(socket.socket):
    """Takes over a connected stream socket.

    `waited` (seconds) and `moved` (bytes) are those since the pace was last looked at. `keeps`: whether `sendall` keeps
    what the kernel does not take, where that is little, for `send_kept` to send. `kept`: that.
    """

    def __init__(self, taken: socket.socket) -> None:
        super().__init__(fileno=taken.detach())
        super().setblocking(False)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._timeout: float | None = 0.0
        self.keeps, self.kept = False, b""
        self.begin(_NEVER)

    def begin(self, seconds: float) -> None:
        """A request begins: its head must be here within so many seconds."""
        self._until = monotonic() + seconds
        self._to_be_cut = False
        self.waited, self.moved = 0.0, 0

    def head_is_here(self) -> None:
        """From now on the pace alone counts."""
        self._until = _NEVER

    def cut(self) -> None:
        """Whoever waits for the other side, now or next, gets Crowded. From any thread."""
        self._to_be_cut = True

    def unread(self) -> int:
        """How much of what was sent the other side has not taken: about so many bytes, and 0 when it has taken all."""
        return int.from_bytes(fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)

    def settimeout(self, value: float | None) -> None:
        """As of any socket. None: as long as it keeps the pace."""
        self._timeout = value

    def gettimeout(self) -> float | None:
        return self._timeout

    def setblocking(self, flag: bool) -> None:
        self._timeout = None if flag else 0.0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """What has arrived, at most `size` bytes. Raises TooSlow, Crowded, OSError."""
        while True:
            try:
                data = super().recv(size, flags)
            except BlockingIOError:
                self._wait(select.POLLIN)
                continue
            self.moved += len(data)
            return data

    def send(self, data: Any, flags: int = 0, /) -> int:
        """As much of `data` as there is room for, one byte at least. Raises TooSlow, Crowded, OSError."""
        while True:
            try:
                return super().send(data, flags)
            except BlockingIOError:
                self._wait(select.POLLOUT)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """All of it, or all but what is kept. Raises TooSlow, Crowded, OSError."""
        with memoryview(data) as view, view.cast("B") as left:
            sent = 0
            while sent < len(left):
                if self.keeps and len(self.kept) + len(left) - sent <= _MOST_KEPT:
                    self.kept += left[sent:]
                    self.send_kept()
                    return
                sent += self.send(left[sent : sent + _MOST_AT_ONCE], flags)

    def send_kept(self) -> int:
        """As much of what is kept as there is room for. Raises OSError."""
        try:
            sent = super().send(self.kept) if self.kept else 0
        except BlockingIOError:
            return 0
        self.kept = self.kept[sent:]
        return sent

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """`count` bytes of a file that has a descriptor, by sendfile(2). Raises TooSlow, Crowded, OSError."""
        sent = 0
        while count is None or sent < count:
            most = _MOST_AT_ONCE if count is None else min(_MOST_AT_ONCE, count - sent)
            try:
                piece = os.sendfile(self.fileno(), file.fileno(), offset + sent, most)
            except BlockingIOError:
                self._wait(select.POLLOUT)
                continue
            if not piece:
                break
            sent += piece
        return sent

    def _wait(self, event: int) -> None:
        """Until there is something to read, or room to write."""
        if self._timeout == 0.0:
            raise BlockingIOError
        until = self._until if self._timeout is None else min(self._until, monotonic() + self._timeout)
        poll = select.poll()
        poll.register(self.fileno(), event)
        is_ready = False
        while not is_ready:
            began, unread = monotonic(), self.unread()
            is_ready = bool(poll.poll(1000 * max(0.0, min(_LOOK_SECONDS, until - began))))
            now = monotonic()
            self.waited += now - began
            if event == select.POLLOUT:
                self.moved += max(0, unread - self.unread())
            if now >= until:
                raise TooSlow
            self._check_pace()

    def _check_pace(self) -> None:
        if self._to_be_cut:
            self.begin(_NEVER)
            raise Crowded
        if self.waited > pace.OVER_SECONDS:
            is_slow = self.moved < pace.LEAST_BYTES_A_SECOND * self.waited
            self.waited, self.moved = 0.0, 0
            if is_slow:
                raise TooSlow
