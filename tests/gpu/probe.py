"""One process that enters the workers' sandbox and then computes on the device: `python probe.py DEVICE RELAXED LIMITED`.

RELAXED names what is left out of the sandbox, with commas between: a limit, `filter`, `landlock`, `call:NAME` of the filter, or
`everything`. With LIMITED 1 the address space has a limit, too. What the process used stands in the last line of its output, as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from dataclasses import replace

from gradkit.judge import isolation
from gradkit.worker import sandbox, seccomp

MANY = {"open_files": 4096, "threads": 4096, "file_mib": 1 << 20}


def policy(
    device: str, work: str, relaxed: set[str], *, limited: bool
) -> tuple[sandbox.Policy, isolation.UserSlot | None]:
    """The policy of a worker with a device, as `gradkit.judge.zygotes` makes it, less what is relaxed."""
    chosen = isolation.choose(sandbox.probe())
    isolation.require(chosen, [])
    slot = isolation.UserSlot() if chosen.level == "separate-user" else None
    limits = sandbox.Limits(address_space=limited, open_files=512)
    limits = replace(limits, **{name: MANY[name] for name in relaxed & MANY.keys()})
    uid = slot.uid if slot else None
    if uid is not None:
        os.chown(work, uid, uid)
    found = sandbox.Policy(
        uid=uid, gid=uid, readable=isolation.readable_paths(cuda=True), writable=(work,), limits=limits,
        landlock="if_available", seccomp="if_available", cuda=True,
    )  # fmt: skip
    return found, slot


def relax(relaxed: set[str]) -> None:
    """Take parts of the sandbox away that are no number."""
    for name in relaxed:
        if name.startswith("call:"):
            del seccomp.DENIED[name.removeprefix("call:")]
    if "filter" in relaxed:
        seccomp.install = lambda program: None
    if "landlock" in relaxed:
        sandbox.landlock.abi = lambda: (0, "left out")
    if "memlock" in relaxed:
        resource.RLIMIT_MEMLOCK = resource.RLIMIT_CORE  # so that it is set on what nobody needs


def compute(device: str) -> dict[str, object]:
    """A product, a copy there and back, and pinned memory; what it took."""
    import torch

    x = torch.ones(512, 512).to(device)
    total = float((x @ x).sum().cpu())
    pinned = ""
    if device == "cuda":
        try:
            torch.empty(2**20, pin_memory=True).to(device)
        except RuntimeError as error:
            pinned = str(error).splitlines()[0][:120]
    status = dict(line.split(":", 1) for line in open("/proc/self/status", encoding="ascii") if ":" in line)
    return {
        "works": total == 512.0**3,
        "open files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "address space (GiB)": round(sandbox.address_space_bytes() / 2**30, 1),
        "resident (MiB)": int(status["VmRSS"].split()[0]) // 1024,
        "processor (s)": round(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), 2),
        "pinned memory": pinned or "yes" if device == "cuda" else "not asked",
    }


def main() -> None:
    device, relaxed, limited = sys.argv[1], {name for name in sys.argv[2].split(",") if name}, sys.argv[3] == "1"
    import torch  # noqa: F401 - before the fork, as the zygote does

    with tempfile.TemporaryDirectory(prefix="gradkit-probe-", dir="/var/tmp") as work:
        os.chmod(work, 0o755)
        made, slot = policy(device, work, relaxed, limited=limited)
        ours, theirs = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(ours)
                os.chdir(work)
                os.environ["HOME"] = work
                relax(relaxed)
                applied = None if "everything" in relaxed else sandbox.enter(made, parent_pid=parent)
                held = (
                    {
                        "user": "separate" if made.uid else "the same",
                        "Landlock ABI": applied.landlock_abi,
                        "filter": applied.seccomp,
                    }
                    if applied
                    else {}
                )
                os.write(theirs, json.dumps({**held, **compute(device)}).encode())
                status = 0
            except BaseException as error:  # whatever it is, it is the answer
                os.write(
                    theirs, json.dumps({"works": False, "error": f"{type(error).__name__}: {error}"[:500]}).encode()
                )
            finally:
                os._exit(status)
        os.close(theirs)
        with os.fdopen(ours, "rb") as answers:
            answer = answers.read()
        _, ended = os.waitpid(pid, 0)
        if slot:
            slot.close()
    if not answer:
        answer = json.dumps(
            {
                "works": False,
                "error": f"ended by signal {os.WTERMSIG(ended)}" if os.WIFSIGNALED(ended) else "said nothing",
            }
        ).encode()
    print(answer.decode())


if __name__ == "__main__":
    main()
