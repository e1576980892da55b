"""Handles that were never given out, in a list and as keys that hash alike."""

NUMBER, NAME, BY = 108, "forged-handle", "J"
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
    from gradkit.calls.values import CallbackRef, Ref, encode

    handles = [Ref(0, "ndarray", True), Ref(2**64 - 1, "ndarray"), CallbackRef(0)]
    _answer(16, encode([*handles, {Ref(5, str(i)): i for i in range(1)}]))
