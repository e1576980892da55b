"""How a freshly forked worker gives up everything it does not need, before it sees the submission.

`enter` is called once, in a single-threaded child, and is not undone. What holds then, if nothing was
reported missing in `Applied`: another identity (or the same, unprivileged), files only as listed, no
sockets, no new processes, no way to reach or signal another process, bounded memory, CPU, files and threads.
What does not: names and sizes of files that the uid may see (stat), timing, bugs of the kernel or of a
GPU driver. Closing inherited descriptors, the environment, umask, the working directory and reaping
are the caller's.

The primitives are in landlock.py and seccomp.py; what a machine offers is in capabilities.py.
"""

import os
import platform
import signal
import site
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from glob import glob
from typing import Literal

from gradkit.worker import landlock, seccomp
from gradkit.worker.capabilities import Capabilities, probe
from gradkit.worker.kernel import (
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    SandboxError,
    drop_capabilities,
    prctl,
)

try:
    import resource
except ImportError:  # Windows, where `probe` answers and `enter` is never called
    resource = None

__all__ = [
    "Applied", "Capabilities", "Limits", "Policy", "SandboxError",
    "become_subreaper", "enter", "harden_zygote", "probe", "system_readable",
]  # fmt: skip

Need = Literal["require", "if_available"]

# Where NVIDIA's packages and images put CUDA and the driver's libraries.
DRIVER_FOLDERS = ("/usr/local/cuda", "/usr/local/nvidia")

# Before this ABI Landlock lets a process signal others of its own uid; then only the filter is in the way.
SAME_UID_ABI = 6


@dataclass(frozen=True)
class Limits:
    """What one worker may use.

    Attributes:
        memory_mib: Address space on top of what the process has when it enters the sandbox
            (loading torch alone takes 600 MiB, which says nothing about the submission).
        cpu_s: Processor time of all its threads together.
        threads: Threads of its uid, the first one included; only enforced with an own uid.
        open_files: One more than the largest descriptor it may open.
        file_mib: Length of a file it writes.
        address_space: Enforce memory_mib; False for CUDA, which reserves terabytes.
    """

    memory_mib: int = 2048
    cpu_s: int = 60
    threads: int = 64
    open_files: int = 64
    file_mib: int = 64
    address_space: bool = True


@dataclass(frozen=True)
class Policy:
    """What a worker keeps.

    Attributes:
        uid: The user to become, not 0; None keeps the present one, which must not be root.
        gid: The group to become; given exactly when uid is.
        readable: Files, and folders with all below them, that it may read; each must exist.
        writable: Folders in which it may also create, change and remove files and folders.
        limits: Resource limits.
        landlock: Whether entering fails where this kernel has no Landlock.
        seccomp: Whether entering fails where this kernel takes no filter.
        cuda: Grant what the CUDA driver needs: its devices, /proc writable, memfd_create.
    """

    uid: int | None
    gid: int | None
    readable: tuple[str, ...]
    writable: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)
    landlock: Need = "require"
    seccomp: Need = "require"
    cuda: bool = False

    def __post_init__(self):
        if (self.uid is None) != (self.gid is None):
            raise ValueError(f"uid and gid are given together or not at all, got {self.uid} and {self.gid}")
        if self.uid is not None and (self.uid <= 0 or self.gid <= 0):
            raise ValueError(f"uid and gid must be positive, got {self.uid} and {self.gid}")


@dataclass(frozen=True)
class Applied:
    """What holds in this process from now on.

    Attributes:
        uid: Its user.
        gid: Its only group.
        landlock_abi: The ABI enforced, 0 if none.
        seccomp: Whether the filter is in place.
        missing: What the policy wanted if available and this machine lacks, each with the reason.
    """

    uid: int
    gid: int
    landlock_abi: int
    seccomp: bool
    missing: tuple[str, ...]


def enter(policy: Policy, *, parent_pid: int | None = None) -> Applied:
    """What was really applied, once this process is confined for good.

    Args:
        policy: What to keep.
        parent_pid: The process that must stay alive, as it saw its own pid before the fork. By default
            the parent at this moment, which misses one that died between the fork and this call.

    Returns:
        What holds from now on.

    Raises:
        SandboxError: If anything required fails. The process may be half confined: it must end.
    """
    parent_pid = os.getppid() if parent_pid is None else parent_pid
    missing: list[str] = []
    try:
        _require_one_thread()
        # while /proc and the paths can still be opened with the present rights
        address_space = address_space_bytes()
        _volunteer_for_the_out_of_memory_killer(missing)
        landlock_abi, ruleset = _landlock_ruleset(policy, missing)
        _drop_user(policy)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        prctl(PR_SET_DUMPABLE, 0)
        # after the drop, which clears it
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            raise SandboxError(f"the parent {parent_pid} died before the sandbox was ready")
        _limit(policy, address_space)
        if ruleset is not None:
            landlock.restrict(ruleset)
        filtered = _filter(policy, missing)
    except OSError as error:
        raise SandboxError(f"the sandbox could not be entered: {error}") from error
    return Applied(os.getuid(), os.getgid(), landlock_abi, filtered, tuple(missing))


def harden_zygote() -> None:
    """Nobody of its own user may look into this process, and it reaps all that descends from it.

    Raises:
        OSError: If the kernel refuses.
    """
    prctl(PR_SET_DUMPABLE, 0)
    become_subreaper()


def become_subreaper() -> None:
    """Orphans below this process become its children, so that it can reap them.

    Raises:
        OSError: If the kernel refuses.
    """
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def system_readable(*, cuda: bool = False) -> tuple[str, ...]:
    """What an honest submission reads of this machine: Python, its packages, shared libraries, time zones.

    Neither /proc nor /sys as a whole, nor /etc, /home, /tmp or /dev/shm. Only what exists is returned.

    Args:
        cuda: Add what the CUDA driver reads besides its devices, which `Policy.cuda` grants.
    """
    paths = [*_python_paths(), "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"]
    paths += ["/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo"]
    paths += ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"]
    # without these torch prints errors about a processor it cannot identify
    paths += ["/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"]
    if cuda:
        paths += ["/sys/devices", "/sys/bus/pci", "/sys/module", *DRIVER_FOLDERS]
    return _outermost(path for path in paths if os.path.exists(path))


def _python_paths() -> Iterable[str]:
    """The standard library and site-packages of the running environment, of its base interpreter, and of what a .pth file adds."""
    scheme = sysconfig.get_paths()
    yield from (scheme[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    for prefix in dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)):
        yield from (os.path.join(prefix, name) for name in ("lib", "lib64"))
    # an environment on top of another one, where torch is: it loads libraries late
    yield from (path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages"))
    if site.ENABLE_USER_SITE:
        yield site.getusersitepackages()


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Where `paths` really are, without those that lie below another: each rule costs system calls."""
    kept: list[str] = []
    for path in sorted({os.path.realpath(path) for path in paths}, key=lambda path: path.split(os.sep)):
        # sorted by folder, so the last one kept is the only one that can hold this one
        if not kept or os.path.commonpath([kept[-1], path]) != kept[-1]:
            kept.append(path)
    return tuple(kept)


def _require_one_thread() -> None:
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        # Landlock and the filter bind the calling thread only
        raise SandboxError(f"a worker enters the sandbox with one thread, this process has {threads}")


def address_space_bytes() -> int:
    """What this process has mapped, which RLIMIT_AS counts."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _volunteer_for_the_out_of_memory_killer(missing: list[str]) -> None:
    """When a small container runs out of memory the worker dies, not the judge."""
    prctl(PR_SET_DUMPABLE, 1)  # its files in /proc are root's otherwise; `enter` sets it back
    try:
        with open("/proc/self/oom_score_adj", "wb") as score:
            score.write(b"1000")
    except OSError as error:
        missing.append(f"first to go when memory runs out: {error}")


def _landlock_ruleset(policy: Policy, missing: list[str]) -> tuple[int, int | None]:
    abi, reason = landlock.abi()
    if abi == 0:
        _report_missing("Landlock", reason, policy.landlock, missing)
        return 0, None
    if policy.uid is None and abi < SAME_UID_ABI:
        reason = f"this kernel has ABI {abi}, signals are scoped from {SAME_UID_ABI} on"
        _report_missing("Landlock's scope for signals", reason, policy.landlock, missing)
    rules = [(path, landlock.READ) for path in policy.readable]
    rules += [(path, landlock.WRITE) for path in policy.writable]
    rules.append(("/dev/null", landlock.READ | landlock.WRITE_FILE))  # where honest code silences output
    if policy.cuda:
        rules += [(path, landlock.DEVICE) for path in glob("/dev/nvidia*")]
        rules.append(("/proc", landlock.READ | landlock.WRITE_FILE | landlock.TRUNCATE))
    return abi, landlock.build(abi, rules)


def _drop_user(policy: Policy) -> None:
    if policy.uid is not None:
        os.setgroups([])
        os.setresgid(policy.gid, policy.gid, policy.gid)
        os.setresuid(policy.uid, policy.uid, policy.uid)
    if 0 in os.getresuid():
        raise SandboxError(f"a worker may not be root, its user ids are {os.getresuid()}")
    # without CAP_SETUID and CAP_SETGID no id comes back
    drop_capabilities()


def _limit(policy: Policy, address_space: int) -> None:
    limits, mib = policy.limits, 1 << 20
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_FSIZE: limits.file_mib * mib,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    if limits.address_space:
        wanted[resource.RLIMIT_AS] = address_space + limits.memory_mib * mib
    if policy.uid is not None:
        # counted over all processes of the uid: with a shared one it would count the user's own
        wanted[resource.RLIMIT_NPROC] = limits.threads
    for which, value in wanted.items():
        # a second after SIGXCPU, which says why, comes SIGKILL, which cannot be ignored
        ceiling = value + 1 if which == resource.RLIMIT_CPU else value
        hard = resource.getrlimit(which)[1]
        if hard != resource.RLIM_INFINITY:
            value, ceiling = min(value, hard), min(ceiling, hard)
        resource.setrlimit(which, (value, ceiling))


def _filter(policy: Policy, missing: list[str]) -> bool:
    try:
        seccomp.install(seccomp.program(platform.machine(), pid=os.getpid(), memfd=policy.cuda))
    except SandboxError as error:
        _report_missing("seccomp", str(error), policy.seccomp, missing)
        return False
    return True


def _report_missing(what: str, reason: str, need: Need, missing: list[str]) -> None:
    if need != "if_available":
        raise SandboxError(f"{what} is required and missing: {reason}")
    missing.append(f"{what}: {reason}")
