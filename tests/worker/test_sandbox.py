"""What a worker can no longer do once it has entered the sandbox, and what honest code still can.

Every attempt is a function of sandbox_host.py, made in a child forked from a process that stands in for the
zygote. Two ways of running are tested: `own_uid` (root that drops to a user of the worker's own) and
`same_uid` (an ordinary user, who keeps it).
"""

import dataclasses
import errno
import json
import os
import platform
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from gradkit.worker import landlock, sandbox, seccomp

LINUX = platform.system() == "Linux"
ROOT = LINUX and os.geteuid() == 0
MACHINES = list(seccomp.AUDIT_ARCH)
X86 = platform.machine() == "x86_64"
NOBODY, WORKER_UID = 65534, 64001
HOST = Path(__file__).with_name("sandbox_host.py")

linux = pytest.mark.skipif(not LINUX, reason="the sandbox is Linux's")
x86 = pytest.mark.skipif(not X86, reason="x32 and int 0x80 are x86's")

# attempt: how it ends in the sandbox
DENIED = {
    # files outside the lists, whatever their mode: Landlock
    "read_passwd": "EACCES", "read_shadow": "EACCES", "read_world_readable": "EACCES",
    "write_world_writable": "EACCES", "create_outside": "EACCES", "truncate_outside": "EACCES",
    "list_outside": "EACCES", "list_proc": "EACCES", "list_proc_1": "EACCES", "list_tmp": "EACCES",
    "list_shm": "EACCES", "write_shm": "EACCES", "read_host_environ": "EACCES", "read_host_memory": "EACCES",
    "read_own_proc": "EACCES", "write_site_packages": "EACCES", "link_from_outside": "EXDEV",
    "rename_to_outside": "EACCES", "symlink": "EACCES", "ioctl_on_device": "EACCES",
    # what Landlock does not see: seccomp
    "make_fifo": "EPERM", "chmod_outside": "EPERM", "utime_outside": "EPERM", "setxattr_work": "EPERM",
    "watch_outside": "EPERM",
    # network
    "socket_inet": "EPERM", "socket_inet6": "EPERM", "socket_unix": "EPERM", "socket_netlink": "EPERM",
    "socketpair": "EPERM",
    # processes
    "fork": "EPERM", "spawn": "EPERM", "execute": "EPERM", "clone3": "ENOSYS", "new_session": "EPERM",
    "unshare_user": "EPERM", "ptrace": "EPERM", "read_host_by_vm": "EPERM", "pidfd_of_host": "EPERM",
    "signal_host": "EPERM", "signal_host_thread": "EPERM", "signal_group": "EPERM",
    "signal_everyone": "EPERM",
    "own_sigio_of_host": "EPERM", "limit_host": "EPERM", "slow_host_down": "EPERM", "renice_host": "EPERM",
    "outlive_the_zygote": "EPERM", "make_dumpable": "EPERM",
    # identity and kernel interfaces
    "become_root": "EPERM", "set_groups": "EPERM", "mount": "EPERM", "io_uring": "EPERM", "memfd": "EPERM",
    "shared_memory": "EPERM", "type_into_terminal": "EPERM", "newer_than_the_table": "ENOSYS",
}  # fmt: skip

# what Landlock denies by itself: attempt, how it ends, from which ABI on
BY_LANDLOCK_ALONE = [
    ("read_passwd", "EACCES", 1), ("read_host_environ", "EACCES", 1), ("read_host_by_vm", "EPERM", 1),
    ("execute", "EACCES", 1), ("symlink", "EACCES", 1), ("make_fifo", "EACCES", 1),
    ("truncate_outside", "EACCES", 3), ("bind_tcp", "EACCES", 4), ("connect_tcp", "EACCES", 4),
    ("ioctl_on_device", "EACCES", 5), ("connect_abstract", "EPERM", 6), ("signal_host", "EPERM", 6),
]  # fmt: skip

HONEST = ["numpy_and_torch", "several_torch_threads", "lazy_imports", "threads", "files", "own_signals"]


class Host:
    """A running sandbox_host.py; `ask` makes one attempt in a fresh child of it."""

    def __init__(self, folder: Path, *, user: int | None, uid: int | None):
        """Start it as `user` (None: the present one); its children become `uid` (None: stay)."""
        self.folder, self.uid = folder, uid
        owner = user if uid is None else uid
        self.work, self.outside = folder / "work", folder / "outside"
        for made, mode in ((self.work, 0o755), (self.outside, 0o777)):
            made.mkdir()
            made.chmod(mode)
        (self.outside / "note.txt").write_text("any user may read and write this", encoding="utf-8")
        (self.outside / "note.txt").chmod(0o666)
        if owner is not None:
            os.chown(self.work, owner, owner)
        # root brings groups along, to see them go
        as_user = {"extra_groups": [0, 4]} if ROOT else {}
        if user is not None:
            as_user = {"user": user, "group": user, "extra_groups": []}
        environment = {"OMP_NUM_THREADS": "1", "HOME": str(self.work), "TMPDIR": str(self.work)}
        self.process = subprocess.Popen(
            [sys.executable, "-B", HOST], text=True, encoding="utf-8", env=environment, cwd=folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, **as_user,
        )  # fmt: skip
        if self.process.stdout.readline() != "ready\n":
            assert user is not None, "sandbox_host.py did not start"
            pytest.skip(f"uid {user} cannot run {sys.executable} or read this checkout")

    def ask(self, attempt: str, **options) -> dict:
        request = {"attempt": attempt, "work": str(self.work), "outside": str(self.outside), "uid": self.uid}
        self.process.stdin.write(json.dumps(request | options) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.folder)


def start_host(*, user=None, uid=None):
    folder = Path(tempfile.mkdtemp(prefix="gradkit-sandbox-"))
    folder.chmod(0o755)
    host = Host(folder, user=user, uid=uid)
    yield host
    host.close()


@pytest.fixture(scope="module")
def own_uid():
    if not ROOT:
        pytest.skip("changing the uid needs root")
    yield from start_host(uid=WORKER_UID)


@pytest.fixture(scope="module")
def same_uid():
    if not LINUX:
        pytest.skip("the sandbox is Linux's")
    if landlock.abi()[0] < sandbox.SAME_UID_ABI:
        pytest.skip(f"Landlock ABI {sandbox.SAME_UID_ABI} is what makes a shared uid safe: {landlock.abi()}")
    yield from start_host(user=NOBODY if ROOT else None)


@pytest.fixture(params=["own_uid", "same_uid"])
def host(request):
    return request.getfixturevalue(request.param)


# ---- in the sandbox


@pytest.mark.parametrize("attempt", DENIED)
def test_an_attempt_is_denied(host, attempt):
    """What a submission has no business doing fails, with the errno of the layer that is meant to stop it."""
    if attempt == "ioctl_on_device" and landlock.abi()[0] < 5:
        pytest.skip("Landlock covers device ioctls from ABI 5 on")

    assert host.ask(attempt) == {"outcome": DENIED[attempt], "signal": 0, "core": False}


@pytest.mark.parametrize("attempt", DENIED)
def test_the_attempt_works_without_the_sandbox(request, attempt):
    """The control: it is the sandbox that denied it, not this machine."""
    host = request.getfixturevalue("own_uid" if ROOT else "same_uid")

    outcome = host.ask(attempt, layers="none")["outcome"]

    if outcome == DENIED[attempt]:
        pytest.skip(f"this machine answers {outcome} anyway")


@pytest.mark.parametrize(("attempt", "outcome", "abi"), BY_LANDLOCK_ALONE)
def test_landlock_denies_without_seccomp(same_uid, attempt, outcome, abi):
    """Each group of rights of the ABI is handled, not only those that the filter leaves open."""
    if landlock.abi()[0] < abi:
        pytest.skip(f"from ABI {abi} on")

    assert same_uid.ask(attempt, layers="landlock")["outcome"] == outcome
    assert same_uid.ask(attempt, layers="none")["outcome"] != outcome


def test_every_call_of_the_deny_list_is_denied(host):
    """The filter in the kernel answers EPERM to each name of the table."""
    assert host.ask("every_denied_call")["outcome"] == "done"


@x86
@pytest.mark.parametrize("attempt", ["x32_call", "i386_call"])
def test_a_call_of_a_foreign_abi_kills(host, attempt):
    """Numbers that mean other calls are not looked up in the wrong table."""
    assert host.ask(attempt)["signal"] == signal.SIGSYS


# ---- limits


@pytest.mark.parametrize(
    ("attempt", "limits", "outcome"),
    [
        ("allocate", {"memory_mib": 512}, "MemoryError"),
        ("write_large", {"file_mib": 2}, "EFBIG"),
        ("open_many", {"open_files": 32}, "EMFILE"),
        ("lock_memory", {}, "EPERM|ENOMEM"),
    ],
)
def test_a_limit_holds(host, attempt, limits, outcome):
    """Going past a limit is an ordinary error of that call."""
    assert re.match(outcome, host.ask(attempt, limits=limits)["outcome"])


def test_a_uid_of_its_own_bounds_threads(own_uid):
    """Twenty are started where 30 are allowed, and refused where 10 are."""
    assert own_uid.ask("start_threads", limits={"threads": 30})["outcome"] == "done"
    assert own_uid.ask("start_threads", limits={"threads": 10})["outcome"].startswith("RuntimeError")


def test_processor_time_is_bounded(own_uid):
    """A loop that never ends is stopped by SIGXCPU, which names the cause."""
    assert own_uid.ask("spin", limits={"cpu_s": 1})["signal"] == signal.SIGXCPU


def test_a_crash_leaves_no_core(host):
    """Neither a file nor a dump through a piped core_pattern."""
    ended = host.ask("abort")

    assert ended["signal"] == signal.SIGABRT
    assert not ended["core"]


# ---- what is applied


def test_the_kernel_confirms_what_was_applied(host):
    """The ids, no capability, none of root's groups, a filter, first to go when memory runs out."""
    told = json.loads(host.ask("show_applied")["outcome"])
    found = json.loads(host.ask("status", readable=["/proc"], before="with_kept_capabilities")["outcome"])

    uid = str(WORKER_UID if host.uid else NOBODY if ROOT else os.getuid())
    assert told == {
        "uid": int(uid), "gid": int(found["Gid"].split("\t")[0]), "landlock_abi": landlock.abi()[0],
        "seccomp": True, "missing": [],
    }  # fmt: skip
    assert found["Uid"] == "\t".join([uid] * 4)
    assert found["Groups"].strip() == "" or not ROOT
    assert {int(found[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert (found["NoNewPrivs"], found["Seccomp"], found["oom_score_adj"]) == ("1", "2", "1000")
    assert (found["dumpable"], found["RLIMIT_CORE"], found["RLIMIT_MSGQUEUE"]) == (0, 0, 0)


def test_a_worker_dies_with_its_zygote(host):
    """The death signal is set after the uid drop, which would clear it."""
    assert host.ask("orphan", layers="none")["outcome"] == "done"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parent_pid": 999999}, "the parent 999999 died"),
        ({"readable": ["/no/such/file"]}, "'/no/such/file'"),
        ({"before": "with_a_second_thread"}, "one thread, this process has 2"),
        ({"before": "on_another_machine"}, "no system call table for 'riscv64'"),
        ({"before": "where_landlock_is_blocked"}, "Landlock is required and missing: blocked by a seccomp"),
        ({"before": "where_landlock_is_disabled"}, "Landlock is required and missing: .*disabled at boot"),
    ],
)
def test_what_is_required_and_fails_stops_the_worker(host, options, message):
    """The sandbox is entered as the policy says or not at all."""
    assert re.match(f"SandboxError: .*{message}", host.ask("show_applied", **options)["outcome"])


def test_root_is_refused(own_uid):
    """A policy without a uid is for ordinary users: a worker is never root."""
    ended = own_uid.ask("show_applied", uid=None)

    assert ended["outcome"].startswith("SandboxError: a worker may not be root")


def test_a_shared_uid_needs_scoped_signals(same_uid):
    """Below ABI 6 Landlock lets a worker signal its own user's processes; who goes on is told."""
    required = same_uid.ask("show_applied", before="with_an_old_kernel")
    available = same_uid.ask("show_applied", before="with_an_old_kernel", landlock="if_available")

    assert required["outcome"].startswith("SandboxError: Landlock's scope for signals is required")
    assert json.loads(available["outcome"])["landlock_abi"] == 5
    assert json.loads(available["outcome"])["missing"][0].startswith("Landlock's scope for signals")


@pytest.mark.parametrize(
    ("before", "missing"),
    [
        ("where_landlock_is_blocked", "Landlock: blocked by a seccomp profile"),
        ("on_another_machine", "seccomp: no system call table for 'riscv64'"),
    ],
)
def test_what_is_wanted_if_available_is_reported_missing(own_uid, before, missing):
    """A weaker sandbox is entered only on request, and says so."""
    ended = own_uid.ask("show_applied", before=before, landlock="if_available", seccomp="if_available")

    (told,) = json.loads(ended["outcome"])["missing"]
    assert told.startswith(missing)


@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        ("memfd", "done"), ("read_own_maps", "done"), ("name_own_thread", "done"),
        ("read_host_environ", "EACCES"), ("read_host_memory", "EACCES"), ("signal_host", "EPERM"),
    ],
)  # fmt: skip
def test_cuda_may_use_its_own_proc(host, attempt, outcome):
    """What the driver needs is open under the CUDA policy, and other processes stay closed."""
    assert host.ask(attempt, cuda=True)["outcome"] == outcome


def test_a_hardened_zygote_is_closed_to_its_own_user(same_uid):
    """Its memory and environment belong to root, and a worker forked from it still enters."""
    assert same_uid.ask("read_own_proc", layers="none")["outcome"] == "done"
    assert same_uid.ask("read_own_proc", layers="none", before="in_a_hardened_zygote")["outcome"] == "EACCES"

    entered = json.loads(same_uid.ask("show_applied", before="in_a_hardened_zygote")["outcome"])
    assert entered["missing"] == []


def test_a_subreaper_gets_the_orphans(host):
    """A process whose parent is gone becomes the zygote's child, not pid 1's."""
    assert host.ask("adopt", layers="none")["outcome"] == "done"


@pytest.mark.parametrize(
    ("uid", "gid", "message"),
    [(1, None, "together"), (None, 1, "together"), (0, 1, "positive"), (1, 0, "positive")],
)
def test_a_policy_refuses_half_an_identity(uid, gid, message):
    """A uid without a gid would keep root's group."""
    with pytest.raises(ValueError, match=message):
        sandbox.Policy(uid=uid, gid=gid, readable=(), writable=())


# ---- honest work: last, because from here on every fork carries numpy and torch


@pytest.mark.parametrize("work", HONEST)
def test_honest_work_goes_on(host, work):
    """numpy, torch, lazy imports, threads, files in the work folder and its own signals are untouched."""
    assert host.ask(work, libraries=True)["outcome"] == "done"


def test_memory_counts_from_what_was_loaded_before(host):
    """64 MiB leave room for 32, although torch alone has mapped ten times that; 16 do not."""
    enough = host.ask("allocate_a_little", limits={"memory_mib": 64}, libraries=True)
    too_little = host.ask("allocate_a_little", limits={"memory_mib": 16}, libraries=True)

    assert (enough["outcome"], too_little["outcome"]) == ("done", "MemoryError: ")


@pytest.mark.parametrize(
    ("address_space", "outcome"), [(True, "RuntimeError: .*can't allocate memory"), (False, "done")]
)
def test_tensors_count_unless_the_limit_is_off(host, address_space, outcome):
    """torch says what happened; under CUDA, which reserves more than any machine has, the limit is off."""
    limits = {"memory_mib": 512, "address_space": address_space}

    assert re.match(outcome, host.ask("allocate_tensor", limits=limits, libraries=True)["outcome"])


# ---- the filter, without a kernel


def verdict(machine: str, name: str | int, *arguments: int, pid: int = 77, arch: int | None = None) -> str:
    """What the filter returns for a call, by interpreting its assembled instructions."""
    table = seccomp.DENIED | seccomp.CHECKED
    number = name if isinstance(name, int) else table[name][MACHINES.index(machine)]
    arguments += (0,) * (6 - len(arguments))
    arch = seccomp.AUDIT_ARCH[machine] if arch is None else arch
    data = struct.pack("=IIQ6Q", number, arch, 0, *(argument % 2**64 for argument in arguments))
    code = list(struct.iter_unpack("=HBBI", seccomp.assemble(seccomp.program(machine, pid=pid))))
    accumulator = at = 0
    while True:
        operation, yes, no, operand = code[at]
        at += 1
        if operation == seccomp.LOAD:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif operation == seccomp.RETURN:
            return {0x7FFF0000: "allow", 0x80000000: "kill"}.get(operand) or errno.errorcode[operand & 0xFFFF]
        else:
            holds = {
                seccomp.EQUAL: accumulator == operand,
                seccomp.GREATER: accumulator > operand,
                seccomp.AT_LEAST: accumulator >= operand,
                seccomp.ANY_BIT: accumulator & operand != 0,
            }[operation]
            at += yes if holds else no


THREAD = 0x003D0F00  # what glibc passes to clone for a thread


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (("clone", THREAD), "allow"),
        (("clone", 17), "EPERM"),  # SIGCHLD: fork
        (("clone", THREAD | 0x10000000), "EPERM"),  # CLONE_NEWUSER
        (("clone", 17 | 0x10000 << 32), "EPERM"),  # CLONE_THREAD where the kernel does not look
        (("clone3",), "ENOSYS"),
        (("kill", 77, 9), "allow"),
        (("kill", 78, 9), "EPERM"),
        (("kill", 0, 9), "EPERM"),
        (("kill", -1, 9), "EPERM"),
        (("kill", 78 | 77 << 32, 9), "EPERM"),
        (("tgkill", 77, 80, 6), "allow"),
        (("tgkill", 78, 78, 6), "EPERM"),
        (("prlimit64", 0), "allow"),
        (("prlimit64", 77), "allow"),
        (("prlimit64", 78), "EPERM"),
        (("sched_setaffinity", 1), "EPERM"),
        (("ioctl", 0, 0x5401), "allow"),
        (("ioctl", 0, 0x5412), "EPERM"),  # TIOCSTI
        (("ioctl", 0, 0x5412 | 1 << 32), "EPERM"),  # the kernel ignores the high word
        (("fcntl", 0, 4), "allow"),
        (("fcntl", 0, 8), "EPERM"),  # F_SETOWN
        (("prctl", 15), "allow"),  # PR_SET_NAME
        (("prctl", 1), "EPERM"),
        ((seccomp.NEWEST_KNOWN,), "allow"),
        ((seccomp.NEWEST_KNOWN + 1,), "ENOSYS"),
    ],
)
def test_the_filter_looks_at_arguments(machine, call, answer):
    """The low 32 bits decide, as in the kernel, on both architectures."""
    assert verdict(machine, *call) == answer


@pytest.mark.parametrize("machine", MACHINES)
def test_the_filter_denies_its_list(machine):
    """Every call that this architecture has."""
    has = [name for name, row in seccomp.DENIED.items() if row[MACHINES.index(machine)] is not None]

    assert {verdict(machine, name) for name in has} == {"EPERM"}


def test_a_foreign_abi_is_killed():
    """32-bit calls have another audit architecture, x32 calls a bit in the number."""
    assert verdict("x86_64", 20, arch=0x40000003) == "kill"  # i386
    assert verdict("x86_64", 39 | 0x40000000) == "kill"
    assert verdict("aarch64", 20, arch=0x40000028) == "kill"  # 32-bit Arm
    assert verdict("x86_64", 39) == "allow"


@pytest.mark.parametrize(
    ("machine", "header"),
    [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")],
)
def test_numbers_are_those_of_the_kernel_headers(machine, header):
    """The tables were typed once; the headers have the last word. aarch64 uses the generic numbers."""
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip(f"{path} is not installed")
    pattern = r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b"
    numbers = {name: int(number) for name, number in re.findall(pattern, path.read_text(encoding="utf-8"))}

    table = seccomp.DENIED | seccomp.CHECKED
    assert {name: row[MACHINES.index(machine)] for name, row in table.items()} == {
        name: numbers.get(name) for name in table
    }


def test_an_unknown_machine_is_named():
    """Where no table has been written there is no filter."""
    with pytest.raises(sandbox.SandboxError, match="'s390x'"):
        seccomp.program("s390x", pid=1)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([(seccomp.EQUAL, 1, "nowhere", None)], "'nowhere', which is not defined"),
        (["here", (seccomp.RETURN, 0, None, None), "here"], "'here' is defined twice"),
        (["back", (seccomp.EQUAL, 1, "back", None)], "spans -1"),
        ([(seccomp.EQUAL, 1, "far", None), *[(seccomp.LOAD, 0, None, None)] * 256, "far"], "spans 256"),
    ],
)
def test_the_assembler_refuses_a_bad_jump(lines, message):
    """A jump is 8 bits, forward: one that is not would fail open or not at all."""
    with pytest.raises(ValueError, match=message):
        seccomp.assemble(lines)


def test_the_assembler_counts_from_the_next_instruction():
    """A jump of zero goes on; a label stands for the instruction after it."""
    test, load, stop = (0x15, 7, "end", None), (0x20, 4, None, None), (0x06, 5, None, None)
    lines = [test, load, "end", stop]

    code = list(struct.iter_unpack("=HBBI", seccomp.assemble(lines)))

    assert code == [(0x15, 1, 0, 7), (0x20, 0, 0, 4), (0x06, 0, 0, 5)]


# ---- what is readable, and what a machine offers


@linux
@pytest.mark.parametrize("cuda", [False, True])
def test_system_paths_hold_python_and_no_secrets(cuda):
    """The interpreter's packages are in, folders where users and graders keep things are out."""
    paths = [Path(path) for path in sandbox.system_readable(cuda=cuda)]

    for needed in (os.__file__, pytest.__file__, "/dev/urandom", "/proc/cpuinfo"):
        assert any(Path(needed).resolve().is_relative_to(path) for path in paths), needed
    for secret in ("/proc/1/environ", "/tmp/x", "/home/x/y", "/root/x", "/dev/shm/x", "/etc/shadow"):
        assert not any(Path(secret).is_relative_to(path) for path in paths), secret


@linux
def test_probe_agrees_with_this_machine():
    """It says what the tests above rest on, and quickly."""
    start = time.perf_counter()
    found = sandbox.probe()
    elapsed_s = time.perf_counter() - start

    assert (found.root, found.landlock_abi) == (ROOT, landlock.abi()[0])
    assert found.machine_supported == (platform.machine() in MACHINES)
    assert found.can_change_uid <= found.root
    assert (found.landlock_reason == "") == (found.landlock_abi > 0)
    # milliseconds in practice; a bound that only a hang or a sleep exceeds
    assert elapsed_s < 6


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("where_landlock_is_blocked", "blocked by a seccomp profile"),
        ("where_landlock_is_disabled", "built in but disabled at boot"),
    ],
)
def test_the_reason_for_no_landlock_is_told_apart(same_uid, before, reason):
    """An administrator can do something about one, the person who starts the container about the other."""
    assert same_uid.ask("landlock_reason", layers="none", before=before)["outcome"] == reason


@pytest.mark.parametrize("system", ["Darwin", "Windows"])
def test_elsewhere_it_imports_and_finds_nothing(system):
    """No module that only POSIX has is needed to be told that there is no sandbox."""
    script = f"""
import sys
for name in ("resource", "fcntl", "pwd", "grp", "termios"):
    sys.modules[name] = None
import platform
platform.system = lambda: {system!r}
from gradkit.worker import sandbox
print(sandbox.probe() == sandbox.Capabilities({system!r}, platform.machine()))
"""

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"
    assert not any(
        value for name, value in dataclasses.asdict(sandbox.Capabilities(system, "")).items()
        if name not in ("system", "landlock_reason")
    )  # fmt: skip
