"""A dict whose key is a list."""

NUMBER, NAME, BY = 103, "unhashable-key", "J"
OUTCOMES = ("rejected",)


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
    _answer(16, b"M" + (1).to_bytes(8, "little") + b"L" + bytes(8) + b"N")
