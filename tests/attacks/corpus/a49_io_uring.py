"""Does its input and output by io_uring, past filters of system calls."""

NUMBER, NAME, BY = 49, "io-uring", "S"
OUTCOMES = ("failed",)

import ctypes


def centre(x):
    libc = ctypes.CDLL(None, use_errno=True)
    for number in (425, 426, 427):  # io_uring_setup, _enter, _register: the same on every architecture
        if libc.syscall(number, 8, ctypes.create_string_buffer(256), 0, 0, 0, 0) >= 0:
            print("ESCAPED: io_uring is there", number)
    return x * 0
