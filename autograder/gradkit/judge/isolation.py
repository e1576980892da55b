"""Chooses how submissions are kept apart from everything else on this machine, and says so.

Levels, strongest first:

- `separate-user`: root here. Each worker gets a user of its own, rlimits, a system-call filter, and Landlock where the
  kernel has it.
- `bubblewrap`: an ordinary user where bubblewrap works. Workers run in namespaces without network, and under Landlock.
- `same-user`: an ordinary user with Landlock (ABI 6 or newer) and a system-call filter.
- `none`: hidden tests are refused.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import sys
import tempfile
from dataclasses import asdict, dataclass
from glob import glob
from pathlib import Path

import coursekit

from gradkit.errors import IsolationError
from gradkit.worker import sandbox

LEVELS = ("separate-user", "bubblewrap", "same-user", "none")
FIRST_UID = 58_000  # unallocated on Debian, Ubuntu and Fedora; those in use are skipped
UIDS = 64


@dataclass(frozen=True)
class Isolation:
    """What holds for the workers of one judge."""

    level: str
    landlock_abi: int
    seccomp: bool
    note: str = ""

    def describe(self) -> dict[str, object]:
        return asdict(self)

    def line(self) -> str:
        """One line for people."""
        parts = [self.level]
        parts.append(f"Landlock ABI {self.landlock_abi}" if self.landlock_abi else "no Landlock")
        parts.append("system-call filter" if self.seccomp else "no system-call filter")
        return ", ".join(parts) + (f" ({self.note})" if self.note else "")


def choose(capabilities: sandbox.Capabilities) -> Isolation:
    """The strongest level that this machine gives.

    Args:
        capabilities: What `sandbox.probe()` found.
    """
    abi, seccomp = capabilities.landlock_abi, capabilities.seccomp
    if capabilities.system != "Linux" or not capabilities.machine_supported:
        return Isolation("none", 0, False, f"no sandbox for {capabilities.system} on {capabilities.machine}")
    if not seccomp:
        return Isolation("none", abi, False, "this kernel or container refuses system-call filters")
    if capabilities.root:
        if capabilities.can_change_uid:
            return Isolation(
                "separate-user",
                abi,
                True,
                "" if abi else f"files are kept by user and mode alone: {capabilities.landlock_reason}",
            )
        return Isolation("none", abi, True, "root here may not change its user")
    if capabilities.bubblewrap_works and abi:  # Landlock keeps one submission from the next one's files
        return Isolation("bubblewrap", abi, True)
    if abi >= sandbox.SAME_UID_ABI:
        return Isolation("same-user", abi, True)
    return Isolation(
        "none",
        abi,
        True,
        f"an ordinary user needs Landlock, and bubblewrap where its ABI is below {sandbox.SAME_UID_ABI}; here it is {abi or 'missing'}",
    )


def require(isolation: Isolation, secrets: list[Path], *, at_least: str = "") -> None:
    """Refuse to grade where nothing isolates, or where something would be readable that must not be.

    Args:
        isolation: What `choose` gave.
        secrets: Folders that no worker may read.
        at_least: The weakest of `LEVELS` that will do; any but `none` when empty.

    Raises:
        IsolationError: With what to do about it.
    """
    if isolation.level == "none":
        raise IsolationError(
            f"hidden checks are not run here: {isolation.note}. Grade on Linux as root, in a container if you like "
            "(docker run --network none, with seccomp on): each submission then gets a user of its own"
        )
    if at_least and LEVELS.index(isolation.level) > LEVELS.index(at_least):
        raise IsolationError(
            f"isolation {at_least} is required, and this machine gives {isolation.line()}; gradkit doctor says what is missing"
        )
    if isolation.level == "separate-user":
        for needed in (Path(sys.prefix), Path(sys.base_prefix), Path(coursekit.__file__).parent):
            if (blocked := unreadable_ancestor(needed)) is not None:
                raise IsolationError(
                    f"{blocked} keeps other users out, so a worker could not read {needed}: use an environment that all "
                    "users may enter, as `make install` makes with /usr/bin/python3"
                )
        if not isolation.landlock_abi:
            for secret in secrets:
                if secret.exists() and unreadable_ancestor(secret) is None:
                    raise IsolationError(
                        f"{secret} is readable by every user and this kernel has no Landlock: run chmod 700 {secret}"
                    )


def unreadable_ancestor(path: Path) -> Path | None:
    """The first folder on the way to `path` that other users may not enter, or None."""
    resolved = path.resolve()
    for folder in [*reversed(resolved.parents), resolved]:
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


class UserSlot:
    """A user id that no other judge on this machine uses meanwhile: process limits are counted per user."""

    def __init__(self) -> None:
        import fcntl  # POSIX only, as is pwd
        import pwd

        folder = Path(tempfile.gettempdir()) / f"gradkit-users-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise IsolationError(f"{folder} belongs to somebody else: remove it")
        for uid in range(FIRST_UID, FIRST_UID + UIDS):
            with contextlib.suppress(KeyError):
                pwd.getpwuid(uid)
                continue
            lock = open(folder / str(uid), "w")  # noqa: SIM115 - held for as long as the slot is
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            self.uid, self._lock = uid, lock
            return
        raise IsolationError(
            f"all {UIDS} worker users are taken: other graders are running on this machine; use fewer --jobs"
        )

    def close(self) -> None:
        self._lock.close()


@functools.cache
def readable_paths(*, cuda: bool = False) -> tuple[str, ...]:
    """What every worker may read: the interpreter, its packages, coursekit with its data; where it has a device, the driver's files too."""
    return (*sandbox.system_readable(cuda=cuda), str(Path(coursekit.__file__).parent))


def bubblewrapped_zygote(control_fd: int, libraries: tuple[str, ...], scratch: Path) -> list[str]:
    """The command that starts the zygote inside bubblewrap."""
    command = [
        sys.executable,
        "-I",
        "-B",
        "-m",
        "gradkit.worker.zygote",
        str(control_fd),
        ",".join(libraries),
    ]
    package = str(Path(__file__).parent.parent)
    binds: list[str] = []
    for path in dict.fromkeys(
        ("/usr", "/bin", "/lib", "/lib64", sys.base_prefix, sys.prefix, package, *readable_paths())
    ):
        if Path(path).exists() and not path.startswith(("/dev", "/proc", "/sys")):
            binds += ["--ro-bind", path, path]
    # Seen by every worker, and opened by those that Landlock grants a device.
    devices = [word for path in sorted(glob("/dev/nvidia*")) for word in ("--dev-bind", path, path)]
    system = "/sys" if devices else "/sys/devices/system/cpu"
    return [
        "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        *binds, "--proc", "/proc", "--dev", "/dev", *devices, "--ro-bind", system, system,
        "--ro-bind", str(scratch.parent), str(scratch.parent), "--bind", str(scratch), str(scratch), "--chdir", str(scratch), "--", *command,
    ]  # fmt: skip


def clean_environment(scratch: Path) -> dict[str, str]:
    """The whole environment of judge, zygote and workers: a grading machine's holds keys, tokens and addresses. One thread each: a fork after a multi-threaded matmul hangs."""
    devices = {name: value for name, value in os.environ.items() if name.startswith(("CUDA_", "NVIDIA_"))}
    # NVIDIA's images name the driver's libraries so; a worker may read those two folders and loads from no other one.
    libraries = [
        path
        for path in os.environ.get("LD_LIBRARY_PATH", "").split(":")
        if f"{os.path.normpath(path)}/".startswith(tuple(f"{folder}/" for folder in sandbox.DRIVER_FOLDERS))
    ]
    if libraries:
        devices["LD_LIBRARY_PATH"] = ":".join(libraries)
    return {
        **devices,
        "PATH": "/usr/bin:/bin",
        "HOME": str(scratch),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "TORCHDYNAMO_DISABLE": "1",  # torch.compile starts a compiler, which no worker may: what it decorates runs as written
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "Agg",
    }
