"""A thread writes answers to every possible question."""

NUMBER, NAME, BY = 8, "frame-spam-thread", "C"
OUTCOMES = ("crashed", "failed", "rejected", "timeout")

import os
import threading


def centre(x):
    from gradkit.calls.frames import Kind, MAGIC, _HEADER
    from gradkit.calls.values import encode

    payload = encode(None)

    def spam():
        for request in range(100_000):
            os.write(3, _HEADER.pack(MAGIC, Kind.RESULT, request, len(payload)) + payload)

    threading.Thread(target=spam, daemon=True).start()
    import time

    time.sleep(0.1)
    return x * 0
