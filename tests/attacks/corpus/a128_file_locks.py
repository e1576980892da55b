"""Tells the next check's process something through locks on a file that both may read."""

NUMBER, NAME, BY = 128, "file-locks", "J"
OUTCOMES = ("failed", "rejected")


import fcntl
import os
import struct
import threading
import time

_FILE = os.open(__file__, os.O_RDONLY)
_heard = []


def _listen():
    for _ in range(100):
        lock = fcntl.fcntl(_FILE, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        kind, _, start, length, _ = struct.unpack("hhqqi4x", lock)
        if kind != fcntl.F_UNLCK:
            _heard.append((start, length))
            return
        time.sleep(0.01)


threading.Thread(target=_listen, daemon=True).start()


def centre(x):
    if _heard:
        print("ESCAPED: heard of another check")
        return type(f"ESCAPED{_heard}", (), {})()
    try:
        fcntl.fcntl(_FILE, fcntl.F_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 12_345_678, 987_654, 0))
        fcntl.flock(os.open(os.__file__, os.O_RDONLY), fcntl.LOCK_EX)
    except OSError:
        pass
    time.sleep(0.2)
    return x * 0
