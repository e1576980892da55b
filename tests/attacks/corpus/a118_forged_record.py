"""Names classes of the judge's in a frame: to be made without their constructors, or imported."""

NUMBER, NAME, BY = 118, "forged-record", "J"
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
    from gradkit.calls.values import encode

    name = {2: b"coursekit.compare:Difference", 3: b"coursekit.drawing:Registered"}.get(
        len(x), b"subprocess:Popen"
    )
    fields = encode({"kind": "value", "summary": "ESCAPED", "detail": ""})
    _answer(16, b"R" + len(name).to_bytes(8, "little") + name + fields)
