"""What entering the sandbox costs, in a child forked from a process with torch loaded as the zygote has it.

    python tests/benchmarks/sandbox_cost.py [REPEATS]

As root the children change their user, otherwise they keep it.
"""

import gc
import os
import statistics
import struct
import sys
import tempfile
import time

import numpy  # noqa: F401
import torch  # noqa: F401
import torch._dynamo  # noqa: F401

from gradkit.worker import sandbox

UID = 64001


def main(repeats: int) -> None:
    """Print medians of `repeats` children."""
    sandbox.harden_zygote()
    gc.collect()
    gc.freeze()
    uid = UID if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as work:
        policy = sandbox.Policy(uid=uid, gid=uid, readable=sandbox.system_readable(), writable=(work,))
        samples = [_one(policy) for _ in range(repeats)]
    for name, values in zip(("fork", "enter", "fork to reaped"), zip(*samples, strict=True), strict=True):
        print(f"{name:15} {statistics.median(values):6.2f} ms  (worst {max(values):.2f})")
    start = time.perf_counter()
    sandbox.probe()
    print(f"{'probe':15} {1e3 * (time.perf_counter() - start):6.2f} ms")


def _one(policy: sandbox.Policy) -> tuple[float, float, float]:
    reading, writing = os.pipe()
    zygote = os.getpid()
    start = time.perf_counter()
    if (pid := os.fork()) == 0:
        forked = time.perf_counter()
        sandbox.enter(policy, parent_pid=zygote)
        entered = time.perf_counter()
        os.write(writing, struct.pack("dd", 1e3 * (forked - start), 1e3 * (entered - forked)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        fork_ms, enter_ms = struct.unpack("dd", pipe.read())
    os.waitpid(pid, 0)
    return fork_ms, enter_ms, 1e3 * (time.perf_counter() - start)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
