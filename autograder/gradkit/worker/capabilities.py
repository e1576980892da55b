"""What isolation this machine gives this user, found out by trying; imports and answers on any system."""

import os
import platform
import shutil
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from gradkit.worker import landlock, seccomp
from gradkit.worker.kernel import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, prctl

_NOBODY = 65534


@dataclass(frozen=True)
class Capabilities:
    """What was found; everything is False, 0 or None where it was not.

    Attributes:
        system: "Linux", "Darwin", "Windows".
        machine: "x86_64", "aarch64", …
        machine_supported: There is a system call table for it.
        root: The effective user is root.
        can_change_uid: A child could become another user (False in a container with one mapped uid).
        landlock_abi: The kernel's Landlock ABI; 0 if there is none.
        landlock_reason: Why there is none, "" if there is.
        seccomp: A filter was accepted in a child and denied what it should.
        bubblewrap: Path of bwrap.
        bubblewrap_works: It ran a program.
    """

    system: str
    machine: str
    machine_supported: bool = False
    root: bool = False
    can_change_uid: bool = False
    landlock_abi: int = 0
    landlock_reason: str = "Landlock is part of Linux"
    seccomp: bool = False
    bubblewrap: str | None = None
    bubblewrap_works: bool = False


def probe() -> Capabilities:
    """What this machine and user offer: a few forks, and one run of bubblewrap where it is installed."""
    system, machine = platform.system(), platform.machine()
    if system != "Linux":
        return Capabilities(system, machine)
    abi, reason = landlock.abi()
    bubblewrap = shutil.which("bwrap")
    return Capabilities(
        system=system,
        machine=machine,
        machine_supported=machine in seccomp.AUDIT_ARCH,
        root=os.geteuid() == 0,
        can_change_uid=_works_in_a_child(_change_uid),
        landlock_abi=abi,
        landlock_reason=reason,
        seccomp=_works_in_a_child(_filter),
        bubblewrap=bubblewrap,
        bubblewrap_works=bubblewrap is not None and _runs(bubblewrap),
    )


def _works_in_a_child(attempt: Callable[[], bool]) -> bool:
    """Whether `attempt` returned True in a forked child; one that raises or is killed did not."""
    with warnings.catch_warnings():
        # Python 3.12 warns about a fork beside other threads; this child only makes system calls
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if attempt() else 1)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _change_uid() -> bool:
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    return True


def _filter() -> bool:
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install(seccomp.program(platform.machine(), pid=os.getpid()))
    try:
        prctl(PR_SET_DUMPABLE, 0)  # harmless, and denied by the filter
    except PermissionError:
        return True
    return False


def _runs(bubblewrap: str) -> bool:
    command = [bubblewrap, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc"]
    try:
        done = subprocess.run([*command, "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
