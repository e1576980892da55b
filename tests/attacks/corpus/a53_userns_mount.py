"""Makes namespaces of its own and mounts over the grader's files."""

NUMBER, NAME, BY = 53, "userns-mount", "S"
OUTCOMES = ("failed",)

import ctypes


def centre(x):
    libc = ctypes.CDLL(None, use_errno=True)
    for flag in (0x10000000, 0x00020000, 0x40000000, 0x20000000):  # user, mount, network, pid
        if libc.unshare(flag) == 0:
            print("ESCAPED: a namespace of its own", hex(flag))
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
        print("ESCAPED: mounted over /tmp")
    if libc.chroot(b".") == 0:
        print("ESCAPED: changed the root")
    return x * 0
