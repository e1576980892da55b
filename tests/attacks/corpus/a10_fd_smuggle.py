"""Passes descriptors along with its answer."""

NUMBER, NAME, BY = 10, "fd-smuggle", "J"
OUTCOMES = ("failed", "rejected")

import os
import socket


def centre(x):
    channel = socket.socket(fileno=os.dup(3))
    for _ in range(50):
        socket.send_fds(channel, [b"x"], [0, 1, 2])
    return x * 0
