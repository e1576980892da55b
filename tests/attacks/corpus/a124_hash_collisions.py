"""A set whose members all hash alike: making it takes the judge hours."""

NUMBER, NAME, BY = 124, "hash-collisions", "J"
OUTCOMES = ("rejected", "timeout")


def _answer(kind, payload):
    """Write one frame as the answer to the question that is being asked, and hold the worker's own back."""
    import os
    import sys

    from gradkit.calls.frames import Connection, MAGIC, _HEADER

    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    os.write(3, _HEADER.pack(MAGIC, kind, frame.f_locals["request"], len(payload)) + payload)
    send = Connection.send
    Connection.send = lambda *_: setattr(Connection, "send", send)


def centre(x):
    count = 30_000
    members = bytearray(b"E" + count.to_bytes(8, "little"))
    for i in range(1, count + 1):
        value = (i * (2**61 - 1)).to_bytes(12, "little")
        members += b"I" + (12).to_bytes(4, "little") + value
    _answer(16, bytes(members))
