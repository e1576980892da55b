"""Makes system calls by the numbers of other instruction sets."""

NUMBER, NAME, BY = 50, "foreign-abi", "S"
OUTCOMES = ("crashed", "failed")

import ctypes
import mmap
import platform


def centre(x):
    if platform.machine() == "x86_64":
        if ctypes.CDLL(None).syscall(0x40000000 | 39) > 0:  # getpid of x32
            print("ESCAPED: x32 is allowed")
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid of i386); int 0x80; ret
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        if ctypes.CFUNCTYPE(ctypes.c_int)(address)() > 0:
            print("ESCAPED: i386 is allowed")
    return x * 0
