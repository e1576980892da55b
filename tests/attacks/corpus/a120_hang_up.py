"""Shuts the channel in both directions, then leaves descriptors open in a thread that goes on."""

NUMBER, NAME, BY = 120, "hang-up", "C"
OUTCOMES = ("crashed",)

import socket
import threading
import time


def centre(x):
    threading.Thread(target=time.sleep, args=(60,)).start()
    socket.socket(fileno=3).shutdown(socket.SHUT_RDWR)
    time.sleep(60)
