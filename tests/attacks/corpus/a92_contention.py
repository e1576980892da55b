"""Keeps every processor busy, to slow its neighbours."""

NUMBER, NAME, BY = 92, "contention", "R"
OUTCOMES = ("failed", "timeout")

import threading


def burn():
    while True:
        sum(range(10_000))


def centre(x):
    for _ in range(16):
        threading.Thread(target=burn, daemon=True).start()
    return x * 0
