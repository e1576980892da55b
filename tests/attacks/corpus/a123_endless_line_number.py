"""Claims an error on a line whose number Python refuses to print."""

NUMBER, NAME, BY = 123, "endless-line-number", "J"
OUTCOMES = ("failed", "rejected")


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
    from gradkit.calls.values import encode

    _answer(17, encode(("ValueError", ("ValueError",), "", "scaling.py", 1 << 30_000)))
