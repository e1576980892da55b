"""Opens sockets of every family."""

NUMBER, NAME, BY = 48, "sockets", "S"
OUTCOMES = ("failed",)

import socket


def centre(x):
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(family, kind)
                print("ESCAPED: a socket of family", family)
            except OSError:
                pass
    return x * 0
