"""Reads its parent's memory through process_vm_readv."""

NUMBER, NAME, BY = 40, "vm-readv", "S"
OUTCOMES = ("failed",)

import ctypes
import os


def centre(x):
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(64)

    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]

    here, there = Vector(ctypes.addressof(buffer), 64), Vector(id(x), 64)
    if libc.process_vm_readv(os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0:
        print("ESCAPED: read the parent's memory")
    return x * 0
