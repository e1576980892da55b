"""Sends a well-formed answer of its own and ends."""

NUMBER, NAME, BY = 6, "forge-frame", "C"
OUTCOMES = ("crashed", "failed", "rejected")

import os


def centre(x):
    from gradkit.calls.frames import Kind, MAGIC, _HEADER
    from gradkit.calls.values import encode

    payload = encode(x * 0)
    for request in range(1, 9):
        os.write(3, _HEADER.pack(MAGIC, Kind.RESULT, request, len(payload)) + payload)
    os._exit(0)
