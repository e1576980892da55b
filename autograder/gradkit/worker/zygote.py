"""A process that has everything imported and nothing secret, and forks workers.

The judge forks it before it reads a reference or a hidden check, from a process that was executed in a clean environment
and has imported the numeric libraries for both: so there is nothing secret in its memory, and they are imported once. Inside
bubblewrap it is executed instead (`python -I -B -m gradkit.worker.zygote FD LIBRARIES`). It runs no tensor operation (a child
forked after a multi-threaded matmul hangs) and makes no CUDA call. Requests come as JSON with descriptors attached, and are
done one after the other:

    {"op": "spawn", "worker": 3, …}  with [the worker's socket, its output]     no reply: the worker speaks for itself
    {"op": "end", "worker": 3, "grace_s": …}                                    -> {"exit": …, "signal": …, "cpu_s": …}

Nothing of a submission runs in this process: the fork enters the sandbox first and imports the submission then.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gradkit.calls import edits  # noqa: F401 - a worker uses it, and can't read its file
from gradkit.calls.frames import Connection, Deadline, Kind
from gradkit.calls.runtime import serve, start, warm
from gradkit.calls.values import encode
from gradkit.errors import WorkerError
from gradkit.worker import sandbox
from gradkit.worker.kernel import PR_SET_NAME, prctl, use_large_pages

# What submissions may use of coursekit. The rest draws, or runs checks: a worker has no use for pytest and matplotlib.
PRELOADED = tuple(
    f"coursekit.{name}" for name in ("chance", "checks", "compare", "data", "diagnosis", "gradcheck", "simgpu", "toys")
)
MAX_REQUEST = 1 << 16
REAP_TIMEOUT_S = 5.0


class SpawnRequest(msgspec.Struct, tag_field="op", tag="spawn"):
    """What one worker may do, and which submission it serves."""

    worker: int  # number that `EndRequest` refers to
    module: str  # path of the submission's file
    work_dir: str  # its current folder, fresh and writable
    policy: sandbox.Policy
    device: str = "cpu"


class EndRequest(msgspec.Struct, tag_field="op", tag="end"):
    """Kill the worker and everything it left behind.

    `grace_s` gives a worker that has hung up the time to finish exiting, so that its own exit status is reported.
    """

    worker: int
    grace_s: float = 0.0


class Ended(msgspec.Struct):
    """How a worker ended: its own exit code or signal, or neither when it had to be killed."""

    exit: int | None = None
    signal: int | None = None
    cpu_s: float = 0.0
    peak_mib: float = 0.0
    leftovers: int = 0  # processes that had outlived the worker
    survivors: int = 0  # of them, those that could not be killed


NAME = b"gradkit-zygote"  # as `ps` and the tests see it


def main() -> None:
    """Serve as a process of its own, which imports the libraries itself."""
    run(socket.socket(fileno=int(sys.argv[1])), sys.argv[2].split(",") if sys.argv[2] else [])


def forked(control: socket.socket, said: int, libraries: Sequence[str]) -> int:
    """Fork a zygote that shares what is imported here and nothing else; its pid.

    Args:
        control: Its end of the channel.
        said: Descriptor that takes what it prints.
        libraries: What its workers may import; the rest of what is loaded here they can't.
    """
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor, source in ((0, null), (1, null), (2, said)):
            os.dup2(source, descriptor)
        channel = os.dup2(control.detach(), 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
        sys.stdin = sys.stdout = sys.stderr = None  # the judge's, whose buffers are its own
        for name in [name for name in sys.modules if name.startswith("gradkit.judge")]:
            del sys.modules[name]  # nothing secret, and nothing of a worker's
        run(socket.socket(fileno=channel), libraries)
        status = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
    finally:
        os._exit(status)


def run(control: socket.socket, libraries: Sequence[str]) -> None:
    """Fork and end workers as asked, until the judge hangs up."""
    prctl(PR_SET_NAME, ctypes.c_char_p(NAME))
    sandbox.harden_zygote()
    preload(libraries)
    if "torch" not in libraries:
        sys.modules["torch"] = None  # `import torch` raises ImportError in every worker
    # Objects made so far are never freed: keep the collector off their pages, which every fork shares.
    gc.collect()
    gc.freeze()
    use_large_pages()
    control.send(b"ready\n")
    workers: dict[int, int] = {}  # pids by number
    decoder = msgspec.json.Decoder(SpawnRequest | EndRequest)
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, MAX_REQUEST, 2)
        if not data:
            break
        request = decoder.decode(data)
        if isinstance(request, SpawnRequest):
            with contextlib.suppress(OSError):  # no process to be had: the judge finds the worker's channel closed
                workers[request.worker] = spawn(request, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
        else:
            pid = workers.pop(request.worker, None)
            control.send(msgspec.json.encode(end(pid, set(workers.values()), request.grace_s)))
    for pid in workers.values():
        end(pid, set(workers.values()), 0.0)


def preload(libraries: Sequence[str]) -> None:
    """Import what every worker needs, once; what honest code often imports late is touched here too."""
    if "torch.optim" in libraries:
        libraries = [*libraries, "torch._dynamo"]  # the first optimizer made imports it, which takes 0.8 s
    late = [
        "numpy.ma",  # the comparison of arguments before and after a call asks for it
        "regex",
        "dataclasses",
        "json",
        "math",
        "heapq",
        "collections",
        "itertools",
        "functools",
        "typing",
        "random",
    ]
    for name in (*libraries, *PRELOADED, *late):
        importlib.import_module(name)


def spawn(request: SpawnRequest, descriptors: list[int]) -> int:
    """Fork a worker that enters the sandbox and serves `request.module`; its pid."""
    channel, output = descriptors
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 70  # EX_SOFTWARE: the sandbox could not be entered
        try:
            os.setsid()
            become_worker(request, channel, output, parent)
            status = 0
        except sandbox.SandboxError as error:
            os.write(1, f"sandbox: {error}".encode())
        except BaseException:  # whatever a submission did to this process: the judge sees that the worker is gone
            status = 71
        finally:
            os._exit(status)
    return pid


def become_worker(request: SpawnRequest, channel: int, output: int, parent: int) -> None:
    """Drop everything the zygote holds, enter the sandbox, and answer calls until the judge hangs up."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if channel != 3:
        os.dup2(channel, 3, inheritable=False)
    os.closerange(4, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
    sock = socket.socket(fileno=3)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.umask(0o077)
    os.chdir(request.work_dir)
    os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = request.work_dir
    sys.argv = [request.module]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False, buffering=1)  # noqa: SIM115
    sandbox.enter(request.policy, parent_pid=parent)
    connection = Connection(sock)
    if request.device != "cpu":
        try:
            start(request.device)
        except Exception as error:  # what a driver may say; a machine where it does is no student's fault
            raise sandbox.SandboxError(
                f"{request.device} can't be used in it: {type(error).__name__}: {error}"[:500]
            ) from error
    # From here on what goes wrong is the submission's doing; the judge takes anything before for its own fault.
    connection.send(Kind.ENTERED, 0, encode(None), Deadline(5.0))
    warm()
    with contextlib.suppress(WorkerError):  # the judge hung up
        serve(connection, Path(request.module), device=request.device)


def end(pid: int | None, others: set[int], grace_s: float) -> Ended:
    """Kill a worker and all that descends from it.

    The zygote is the subreaper: whatever a worker starts, however it detaches, becomes a child of this process when its
    parent dies. So nothing is left exactly when there are no children but the other workers.
    """
    if pid is None:
        return Ended()
    status, usage = _wait_for(pid, grace_s)
    ended = Ended()
    if status is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, _, usage = os.wait4(pid, 0)
    elif os.WIFSIGNALED(status):
        ended.signal = os.WTERMSIG(status)
    else:
        ended.exit = os.WEXITSTATUS(status)
    ended.cpu_s = usage.ru_utime + usage.ru_stime
    ended.peak_mib = usage.ru_maxrss / 1024
    ended.leftovers, ended.survivors = _kill_orphans(others)
    return ended


def _wait_for(pid: int, grace_s: float) -> tuple[int | None, object]:
    deadline = time.monotonic() + grace_s
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return status, usage
        if time.monotonic() >= deadline:
            return None, None
        time.sleep(0.0005)


def _kill_orphans(workers: set[int]) -> tuple[int, int]:
    """Kill and reap every child but the workers. Returns how many there were, and how many stay for five seconds."""
    deadline = time.monotonic() + REAP_TIMEOUT_S
    seen: set[int] = set()
    while orphans := _children() - workers:
        seen |= orphans
        if time.monotonic() > deadline:
            return len(seen), len(orphans)
        for orphan in orphans:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, os.WNOHANG)
        time.sleep(0.001)
    return len(seen), 0


def _children() -> set[int]:
    """Living or dead, the processes whose parent this one is."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    with contextlib.suppress(OSError):
        return {int(pid) for pid in path.read_text(encoding="ascii").split()}
    found = set()  # a kernel without that file
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
                if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
                    found.add(int(entry))
    return found


if __name__ == "__main__":
    main()
