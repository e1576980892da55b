"""Scans every object of the process for the judge's secrets."""

NUMBER, NAME, BY = 34, "gc-scan", "C"
OUTCOMES = ("failed", "timeout")

import gc


def centre(x):
    wanted = "CAN" + "ARY-"
    for thing in gc.get_objects():
        if isinstance(thing, dict) and any(
            isinstance(value, str) and wanted in value and "gc_scan" not in value
            for value in list(thing.values())[:1000]
            if value is not wanted
        ):
            print("ESCAPED: a secret is in this process")
    return x * 0
