"""Claims to have raised what pytest takes for a check that is skipped or left out."""

NUMBER, NAME, BY = 106, "forged-skip", "J"
OUTCOMES = ("failed",)


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

    names = ("Skipped", "SkipTest", "Exit", "XFailed", "KeyboardInterrupt", "StopIteration", "Exception")
    _answer(17, encode(("Skipped", names, "not run here", "scaling.py", 1)))
