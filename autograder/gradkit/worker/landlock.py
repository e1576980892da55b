"""Landlock: which files this process may still open, said once and never taken back.

A ruleset denies every right it handles except below the paths it names. It is built while
paths can still be opened (before the uid drop) and enforced later through its descriptor.

Landlock does not hide that a file exists or how long it is, and it does not cover chmod, chown,
xattrs and times: seccomp.py denies those. Descriptors that are already open keep their rights.

Source:
    Linux, Documentation/userspace-api/landlock.rst.
"""

import errno
import os
import stat
import struct

from gradkit.worker.kernel import SandboxError, syscall

# the same numbers on every architecture
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446

# file rights in bit order; an ABI knows a prefix of them
(
    EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR,
    MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM, REFER, TRUNCATE, IOCTL_DEV,
) = (1 << bit for bit in range(16))  # fmt: skip
BIND_TCP, CONNECT_TCP = 1, 2
ABSTRACT_UNIX_SOCKET, SIGNAL = 1, 2

# No EXECUTE: nothing is ever executed. Loading a shared library needs only READ_FILE.
READ = READ_FILE | READ_DIR
# No sockets, pipes, devices or symbolic links: whoever cleans the folder up meets plain files only.
WRITE = READ | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER
DEVICE = READ | WRITE_FILE | IOCTL_DEV

# the rights that a rule on a single file may carry
_FILE_ONLY = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_GET_VERSION = 1
_PATH_BENEATH = 1


def abi() -> tuple[int, str]:
    """The kernel's Landlock ABI and "", or 0 and the reason why there is none."""
    try:
        return syscall(CREATE_RULESET, None, 0, _GET_VERSION), ""
    except OSError as error:
        return 0, {
            errno.ENOSYS: "not built into this kernel, or hidden by a seccomp profile",
            errno.EOPNOTSUPP: "built in but disabled at boot",
            errno.EPERM: "blocked by a seccomp profile",
        }.get(error.errno, str(error))


def build(abi_version: int, rules: list[tuple[str, int]]) -> int:
    """A descriptor of a ruleset that handles all the ABI's rights and grants only `rules`.

    Args:
        abi_version: As `abi` returned it, at least 1.
        rules: Pairs of an existing path and the rights granted on it and all below it.

    Raises:
        SandboxError: If a path cannot be opened or the kernel refuses.
    """
    handled = _file_rights(abi_version)
    network = BIND_TCP | CONNECT_TCP if abi_version >= 4 else 0
    scopes = ABSTRACT_UNIX_SOCKET | SIGNAL if abi_version >= 6 else 0
    # an older kernel takes the longer struct as long as what it does not know is zero
    attributes = struct.pack("=QQQ", handled, network, scopes)
    try:
        ruleset = syscall(CREATE_RULESET, attributes, len(attributes), 0)
    except OSError as error:
        raise SandboxError(f"Landlock refused a ruleset of ABI {abi_version}: {error}") from None
    for path, rights in rules:
        _allow(ruleset, path, rights & handled)
    return ruleset


def restrict(ruleset: int) -> None:
    """Enforce `ruleset` on this process for good, and close it; needs no_new_privs.

    Raises:
        SandboxError: If the kernel refuses.
    """
    try:
        syscall(RESTRICT_SELF, ruleset, 0)
    except OSError as error:
        raise SandboxError(f"Landlock could not be enforced: {error}") from None
    os.close(ruleset)


def _file_rights(abi_version: int) -> int:
    last = {1: MAKE_SYM, 2: REFER, 3: TRUNCATE, 4: TRUNCATE}.get(abi_version, IOCTL_DEV)
    return 2 * last - 1  # that bit and all below it


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                rights &= _FILE_ONLY
            syscall(ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SandboxError(f"Landlock cannot name {path!r}: {error.strerror}") from None
