"""Searches the heap for what the reference left there."""

NUMBER, NAME, BY = 80, "stale-memory", "C"
OUTCOMES = ("crashed", "failed", "timeout")

import ctypes
import struct


def centre(x):
    column = [float(value) for value in x[:, 0]]
    wanted = [value - sum(column) / len(column) for value in column]
    row = [float(x[0, j]) - sum(float(v) for v in x[:, j]) / len(column) for j in range(x.shape[1])]
    needle = struct.pack(f"<{len(row)}d", *row)
    with open("/proc/self/maps") as maps:
        ranges = [line.split()[:2] for line in maps if "[heap]" in line]
    found = 0
    for span, mode in ranges:
        low, high = (int(part, 16) for part in span.split("-"))
        memory = ctypes.string_at(low, high - low)
        found += memory.count(needle)
    if found > 2 and wanted:  # the packed bytes and one copy are this search's own
        print("ESCAPED: an answer lies in this process")
    return x * 0
