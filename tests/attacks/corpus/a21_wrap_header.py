"""An array whose shape overflows 64 bits to fit its bytes."""

NUMBER, NAME, BY = 21, "wrap-header", "J"
OUTCOMES = ("rejected",)

import os
import struct


def centre(x):
    from gradkit.calls.frames import Kind, MAGIC, _HEADER

    payload = b"A\x02f8\x02" + struct.pack("<QQQ", 1 << 32, 1 << 32, 0)
    for request in range(1, 9):
        os.write(3, _HEADER.pack(MAGIC, Kind.RESULT, request, len(payload)) + payload)
    return x * 0
