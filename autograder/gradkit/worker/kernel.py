"""Raw system calls and prctl through ctypes, and the one exception of the sandbox.

Nothing here runs at import, so the module also imports on macOS and Windows.
"""

import ctypes
import functools
import os
import struct

LARGE_PAGE = 2 << 20
MADV_COLLAPSE = 25
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38


class SandboxError(RuntimeError):
    """The sandbox could not be entered as its policy requires; the process must end."""


def syscall(number: int, *arguments: int | bytes | ctypes.c_void_p | None) -> int:
    """What a system call returned, for calls that the os module does not offer.

    Args:
        number: Its number on this architecture.
        arguments: Integers, bytes that the kernel reads, or None for a null pointer.

    Raises:
        OSError: With the errno of a call that failed.
    """
    return _checked(_libc().syscall(ctypes.c_long(number), *map(_as_word, arguments)))


def prctl(option: int, argument: int | ctypes.c_void_p = 0, second: int | ctypes.c_void_p = 0) -> int:
    """What prctl(2) returned; its unused arguments are zero, as the kernel wants them.

    Raises:
        OSError: With the errno of a call that failed.
    """
    zero = ctypes.c_ulong(0)
    return _checked(_libc().prctl(ctypes.c_int(option), _as_word(argument), _as_word(second), zero, zero))


def drop_capabilities() -> None:
    """This thread has no capability any more, in no set.

    Raises:
        OSError: If the kernel refuses.
    """
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    _checked(_libc().capset(header, bytes(24)))


def use_large_pages() -> int:
    """How many 2 MiB pages this process's heap was moved into.

    A fork copies one entry for each of them instead of 512, which makes it three times faster where torch is loaded.
    Where the kernel can't (before Linux 6.1, or with large pages off) nothing changes.
    """
    moved = 0
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        regions = [line.split() for line in maps]
    for addresses, rights, _, _, _, *name in regions:
        if "w" in rights and (not name or name[0] == "[heap]"):
            first, last = (int(address, 16) for address in addresses.split("-"))
            for page in range(-(-first // LARGE_PAGE) * LARGE_PAGE, last // LARGE_PAGE * LARGE_PAGE, LARGE_PAGE):
                moved += _libc().madvise(ctypes.c_void_p(page), ctypes.c_size_t(LARGE_PAGE), MADV_COLLAPSE) == 0
    return moved


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _as_word(argument):
    # variadic calls pass a bare Python int as 32 bits: every integer goes as a whole register
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def _checked(result: int) -> int:
    if result == -1:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))
    return result
