"""Frames over a socket: a fixed header (magic, kind, request number, length) and a payload, under one deadline for both
directions."""

from __future__ import annotations

import enum
import select
import socket
import struct
import time
from collections.abc import Callable

from gradkit.errors import ProtocolError, WorkerCrashed, WorkerTimeout

MAGIC = b"GKF1"
_HEADER = struct.Struct("<4sBxxxQQ")  # magic, kind, request number, length of the payload
MAX_FRAME = 256 * 2**20  # bytes
WATCH_EVERY_S = 0.25
READ_AHEAD = 1 << 16  # bytes asked of a socket at a time: most frames come whole, with their header


class Kind(enum.IntEnum):
    """What a frame says."""

    # judge to worker
    LOAD = 1  # import the submission; the result refers to its functions and classes by name
    GET = 2  # (target, attribute)
    SET = 3  # (target, attribute, value)
    CALL = 4  # (target, args, kwargs)
    OPERATE = 5  # (operator, args)
    VJP = 6  # (target, args, kwargs, wrt, cotangent)
    WATCH = 9  # (target, args, kwargs): a call, and which arguments it changed in place
    REPLAY = 12  # (target, args, kwargs, given, runs, cut): calls whose draws come out as is said, and what they were
    EDIT = 10  # (lines, number): put that small edit of one of these lines in place of the one before
    LINES = (
        11  # (begin,): whether to begin to watch which lines of the submission are run, or to end that and tell them
    )
    ANSWER = 7  # result of a callback
    FORGET = 8  # reference ids, or None for all but the module's own; no answer
    # worker to judge
    ENTERED = 15  # the sandbox holds; sent before the submission is imported
    RESULT = 16
    RAISED = 17  # (type name, names of its builtin bases, message, file, line)
    UNSENDABLE = 19  # what can't be sent, for a public check
    CALLBACK = 18  # (callback id, args, kwargs)


class Deadline:
    """A total budget of seconds that runs only while the other side is being waited for.

    Args:
        seconds: The budget; infinite for the side that serves.
        outer: A wider budget that is used up along with this one.
        watch: Called a few times a second while waiting; what it raises ends the wait.
    """

    def __init__(self, seconds: float, outer: Deadline | None = None, watch: Callable[[], None] | None = None) -> None:
        self.left_s = min(seconds, outer.left_s) if outer else seconds
        self._outer = outer
        self._watch = watch

    def wait(self, poller: select.poll) -> None:
        """Wait until the socket is ready.

        Raises:
            WorkerTimeout: When the budget is used up.
        """
        while self.left_s > 0:
            begun = time.monotonic()
            ready = poller.poll(min(self.left_s, WATCH_EVERY_S) * 1000)
            self.spend(time.monotonic() - begun)
            if ready:
                return
            if self._watch is not None:
                self._watch()
        raise WorkerTimeout("the time limit passed")

    def spend(self, seconds: float) -> None:
        """Take seconds off this budget and the wider one."""
        self.left_s -= seconds
        if self._outer is not None:
            self._outer.spend(seconds)


class Connection:
    """One end of the socket pair. Non-blocking in both directions, under one deadline."""

    def __init__(self, sock: socket.socket, *, max_frame: int = MAX_FRAME) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._max_frame = max_frame
        self._ahead = bytearray()
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(sock, select.POLLOUT)

    def close(self) -> None:
        self._sock.close()

    def send(self, kind: Kind, request: int, payload: bytes | bytearray, deadline: Deadline) -> None:
        """Send one frame.

        Raises:
            WorkerTimeout: When the other side does not read in time.
            WorkerCrashed: When it is gone.
        """
        view = memoryview(_HEADER.pack(MAGIC, kind, request, len(payload)) + payload)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                deadline.wait(self._writable)
            except OSError:
                raise WorkerCrashed("the program ended before answering") from None

    def receive(self, deadline: Deadline) -> tuple[int, int, memoryview]:
        """The next frame's kind, request number and payload.

        Raises:
            WorkerTimeout, WorkerCrashed: As for `send`.
            ProtocolError: For a header that is not one, or a length over the cap; nothing is allocated for it.
        """
        magic, kind, request, length = _HEADER.unpack(self._read(_HEADER.size, deadline))
        if magic != MAGIC:
            raise ProtocolError("something that is not an answer was written to the grader's channel")
        if length > self._max_frame:
            raise ProtocolError(f"the answer is larger than {self._max_frame // 2**20} MiB")
        return kind, request, memoryview(self._read(length, deadline))

    def _read(self, size: int, deadline: Deadline) -> bytearray:
        """The next `size` bytes. What came along with them is kept for the next call."""
        data, self._ahead = self._ahead, bytearray()
        while len(data) < size:
            try:
                # recv, not recvmsg: descriptors smuggled along are closed by the kernel.
                chunk = self._sock.recv(max(READ_AHEAD, min(size - len(data), 1 << 20)))
            except BlockingIOError:
                deadline.wait(self._readable)
                continue
            except OSError:
                chunk = b""
            if not chunk:
                raise WorkerCrashed("the program ended before answering")
            data += chunk
        if len(data) > size:
            self._ahead = data[size:]
            del data[size:]
        return data
