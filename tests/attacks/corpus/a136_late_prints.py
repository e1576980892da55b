"""Leaves a thread and a buffer behind that print a hidden check's input while a public one is at work, and fails.

What is printed in one process is told with the next public check that fails, whichever check it was printed in.
"""

NUMBER, NAME, BY = 136, "late-prints", "J"
OUTCOMES = ("failed",)
SPARES_OTHER_TASKS = False  # the other public check has to fail for its prints to be told

import io
import threading
import time

_buffer = io.open(1, "w", buffering=1 << 16, closefd=False)


def _print_later(x):
    for _ in range(20):
        time.sleep(0.02)
        print("ESCAPED: a hidden input", x, flush=True)


def centre(x):
    if x.shape != (2, 2):  # a hidden check
        _buffer.write(f"ESCAPED: a hidden input {x.tolist()}\n")
        threading.Thread(target=_print_later, args=(x.tolist(),), daemon=True).start()
    return x * 0


def standardise(x, *, eps=1e-5):
    if x.shape == (50, 4):  # a public check
        _buffer.flush()
        time.sleep(0.1)
    return x * 0
