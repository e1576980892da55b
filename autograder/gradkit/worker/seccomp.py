"""A seccomp filter: which system calls this process may still make.

The filter is a deny list up to the newest call that the tables below know; anything newer
answers ENOSYS, as on an older kernel, so that what Linux adds later is closed until someone
has looked at it. A call of a foreign ABI (x32 or 32-bit x86, 32-bit Arm) kills the process:
its numbers mean other calls, and honest code makes none.

Source:
    Linux, Documentation/userspace-api/seccomp_filter.rst, linux/filter.h, linux/audit.h.
"""

import ctypes
import errno
import struct

from gradkit.worker.kernel import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_SECCOMP, SandboxError, prctl

# linux/audit.h, by what platform.machine() says on a 64-bit little-endian kernel
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# set_mempolicy_home_node (Linux 5.17), on both architectures
NEWEST_KNOWN = 450

# name: (x86-64, aarch64); None where the architecture does not have the call
DENIED: dict[str, tuple[int, int | None]] = {
    # network: the worker already holds the one socket it needs
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242),
    # processes: threads are all there is; nothing is executed, nothing leaves its session
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "setsid": (112, 157), "setpgid": (109, 154),
    # other processes: their memory, descriptors, signals, speed
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "move_pages": (279, 239),
    "migrate_pages": (256, 238), "kcmp": (312, 272), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "setpriority": (141, 140), "ioprio_set": (251, 30),
    # files: what Landlock does not cover (attributes and times, watching, handles, device nodes)
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None), "fchown": (93, 55),
    "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "flock": (73, 32), "io_setup": (206, 0), "inotify_init": (253, None), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "mknod": (133, None), "mknodat": (259, 33),
    # memory and messages that outlive the process or escape RLIMIT_AS
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186), "msgsnd": (69, 189),
    "msgrcv": (70, 188), "msgctl": (71, 187), "semget": (64, 190), "semop": (65, 193),
    "semtimedop": (220, 192), "semctl": (66, 191), "mq_open": (240, 180), "mq_unlink": (241, 181),
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
    # interfaces through which kernels have been broken into
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "modify_ldt": (154, None), "uselib": (134, None),
    "lookup_dcookie": (212, 18),
    # another identity or another view of the machine
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setfsuid": (122, 151), "setfsgid": (123, 152),
    "setgroups": (116, 159), "capset": (126, 91), "personality": (135, 92), "unshare": (272, 97),
    "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40),
    "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    # the machine itself
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224),
    "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "syslog": (103, 116), "sethostname": (170, 161), "setdomainname": (171, 162),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "vhangup": (153, 58), "ioperm": (173, None), "iopl": (172, None),
}  # fmt: skip

# calls that are allowed or not by their arguments, see _checks
CHECKED: dict[str, tuple[int, int | None]] = {
    "clone": (56, 220), "clone3": (435, 435), "kill": (62, 129), "tgkill": (234, 131),
    "prlimit64": (302, 261), "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274), "ioctl": (16, 29), "fcntl": (72, 25),
    "prctl": (157, 167),
}  # fmt: skip

# A program is a list of labels (str) and instructions (operation, operand, label if true, label if
# false); no label means the next instruction. Operations, from linux/bpf_common.h:
LOAD, EQUAL, GREATER, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
Instruction = tuple[int, int, str | None, str | None]

_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000  # linux/seccomp.h
_MODE_FILTER = 2
_INSTRUCTION = struct.Struct("=HBBI")  # struct sock_filter: code, jt, jf, k
_NUMBER, _ARCH = 0, 4  # offsets into struct seccomp_data
_X32_BIT = 0x40000000
_LONGEST_JUMP = 255

_SCHEDULING = ["sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr"]
_CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP = 0x5412, 0x541C, 0x8901, 0x8902
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15
# two workers of a submission may read the same file, and a lock on it would be a word between them
_LOCKS = [
    5,
    6,
    7,
    36,
    37,
    38,
    1024,
    1026,
]  # F_GETLK, F_SETLK, F_SETLKW, the three of open files, F_SETLEASE, F_NOTIFY


def program(machine: str, *, pid: int, memfd: bool = False) -> list[str | Instruction]:
    """The filter for the process `pid`, as text for `assemble`.

    Args:
        machine: As platform.machine() says: "x86_64" or "aarch64".
        pid: The process that will be filtered: the only one it may signal or slow down.
        memfd: Allow memfd_create, which escapes RLIMIT_AS; for where that limit is off anyway.

    Raises:
        SandboxError: If there is no table for this machine.
    """
    if machine not in AUDIT_ARCH:
        raise SandboxError(f"no system call table for {machine!r}; there is one for {', '.join(AUDIT_ARCH)}")
    column = list(AUDIT_ARCH).index(machine)
    numbers = {name: row[column] for name, row in (DENIED | CHECKED).items() if row[column] is not None}
    denied = [name for name in DENIED if name in numbers and not (memfd and name == "memfd_create")]
    return [
        (LOAD, _ARCH, None, None),
        (EQUAL, AUDIT_ARCH[machine], None, "KILL"),
        (LOAD, _NUMBER, None, None),
        # only x86-64 has an ABI that hides behind a bit of the number; elsewhere it is just too new
        (AT_LEAST, _X32_BIT, "KILL" if machine == "x86_64" else "ENOSYS", None),
        (GREATER, NEWEST_KNOWN, "ENOSYS", None),
        *((EQUAL, numbers[name], "EPERM", None) for name in denied),
        *((EQUAL, numbers[name], name, None) for name in CHECKED if name in numbers),
        (RETURN, _ALLOW, None, None),
        *_checks(pid),
        "ALLOW", (RETURN, _ALLOW, None, None),
        "EPERM", (RETURN, _ERRNO | errno.EPERM, None, None),
        "ENOSYS", (RETURN, _ERRNO | errno.ENOSYS, None, None),
        "KILL", (RETURN, _KILL_PROCESS, None, None),
    ]  # fmt: skip


def assemble(lines: list[str | Instruction]) -> bytes:
    """`lines` as an array of struct sock_filter, labels turned into distances.

    Raises:
        ValueError: If a label is missing or defined twice, or a jump is backward or over 255 long.
    """
    labels, instructions = {}, []
    for line in lines:
        if isinstance(line, tuple):
            instructions.append(line)
        elif line in labels:
            raise ValueError(f"label {line!r} is defined twice")
        else:
            labels[line] = len(instructions)

    def distance(start: int, label: str | None) -> int:
        if label is None:
            return 0
        if label not in labels:
            raise ValueError(f"instruction {start} jumps to {label!r}, which is not defined")
        jump = labels[label] - (start + 1)
        if not 0 <= jump <= _LONGEST_JUMP:
            raise ValueError(f"a jump spans 0 to {_LONGEST_JUMP}, from {start} to {label!r} it spans {jump}")
        return jump

    return b"".join(
        _INSTRUCTION.pack(operation, distance(index, yes), distance(index, no), operand)
        for index, (operation, operand, yes, no) in enumerate(instructions)
    )


def install(lines: list[str | Instruction]) -> None:
    """Put this thread under the filter for good; needs no_new_privs.

    Raises:
        SandboxError: If the kernel refuses.
    """
    code = assemble(lines)
    header = _SockFprog(len(code) // _INSTRUCTION.size, code)
    try:
        prctl(PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(header))
    except OSError as error:
        raise SandboxError(f"the kernel refused a seccomp filter: {error}") from None


class _SockFprog(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def _checks(pid: int) -> list[str | Instruction]:
    """The calls that depend on an argument.

    All of them are read by the kernel as 32 bits, so the low word is what counts.
    """
    return [
        # a new thread, not a process, and no namespace with it
        "clone", _load_argument(0),
        (ANY_BIT, _CLONE_THREAD, None, "EPERM"),
        (ANY_BIT, _CLONE_NEW, "EPERM", "ALLOW"),
        # its flags lie in memory, out of a filter's sight: the C library falls back to clone
        "clone3", (RETURN, _ERRNO | errno.ENOSYS, None, None),
        # signals to itself (abort, raise); kill(0) is the process group, and so is not itself
        *_only(["kill", "tgkill"], 0, [pid]),
        # the same user's other processes would take a new limit or scheduling class from us
        *_only(["prlimit64", *_SCHEDULING], 0, [0, pid]),
        # typing into a terminal; aiming SIGIO, or any signal in its stead, at another process
        *_never(["ioctl"], 1, [_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP]),
        *_never(["fcntl"], 1, [_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, *_LOCKS]),
        # outliving the zygote; a core dump through a piped core_pattern, which RLIMIT_CORE does not stop
        *_never(["prctl"], 0, [PR_SET_PDEATHSIG, PR_SET_DUMPABLE]),
    ]  # fmt: skip


def _only(names: list[str], argument: int, values: list[int]) -> list[str | Instruction]:
    """Calls that are allowed when the argument is one of `values`."""
    tests = [(EQUAL, value, "ALLOW", None) for value in values]
    return [*names, _load_argument(argument), *tests, (RETURN, _ERRNO | errno.EPERM, None, None)]


def _never(names: list[str], argument: int, values: list[int]) -> list[str | Instruction]:
    """Calls that are allowed unless the argument is one of `values`."""
    tests = [(EQUAL, value, "EPERM", None) for value in values]
    return [*names, _load_argument(argument), *tests, (RETURN, _ALLOW, None, None)]


def _load_argument(index: int) -> Instruction:
    return LOAD, 16 + 8 * index, None, None  # the low word of a little-endian 64-bit argument
