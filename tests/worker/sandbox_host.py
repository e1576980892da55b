"""A stand-in for the zygote, and what a submission might try.

It is exec'd by test_sandbox.py, and for every request on stdin forks a child that enters the sandbox and
makes one attempt; `"libraries": true` has it load numpy and torch before, for good, as the zygote does. The
reply says how the attempt ended:

    {"attempt": "read_passwd", "layers": "all", …}  ->  {"outcome": "EACCES", "signal": 0, "core": false}

`layers` is "all" (what `enter` does), "landlock" or "seccomp" (that one alone), or "none" (the control).
"""

import ctypes
import errno
import fcntl
import glob
import json
import mmap
import os
import platform
import resource
import signal
import socket
import sys
import sysconfig
import tempfile
import threading
import time

from gradkit.worker import landlock, sandbox, seccomp
from gradkit.worker.kernel import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, prctl, syscall

COLUMN = list(seccomp.AUDIT_ARCH).index(platform.machine()) if platform.machine() in seccomp.AUDIT_ARCH else 0
NUMBERS = {name: row[COLUMN] for name, row in (seccomp.DENIED | seccomp.CHECKED).items()}
HOST = os.getpid()
PR_GET_DUMPABLE, PR_SET_KEEPCAPS = 3, 8
NEW = os.O_WRONLY | os.O_CREAT
ABSTRACT = f"\0gradkit-test-{HOST}"


def main():
    listener = socket.socket(socket.AF_UNIX)  # for connect_abstract to find
    listener.bind(ABSTRACT)
    listener.listen()
    sandbox.become_subreaper()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


def load_libraries():
    global np, torch
    import numpy as np
    import torch
    import torch._dynamo  # torch.optim imports it at the first optimizer


def run(request):
    if request.get("libraries"):
        load_libraries()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        outcome = "not reached"
        try:
            outcome = attempt(request) or "done"
        except OSError as error:
            outcome = errno.errorcode.get(error.errno, str(error))
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}"
        finally:
            os.write(writing, outcome.encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        outcome = pipe.read()
    _, status = os.waitpid(pid, 0)
    return {
        "outcome": outcome,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "core": os.WCOREDUMP(status),
    }


def attempt(request):
    global OUTSIDE
    OUTSIDE = request["outside"]
    os.chdir(request["work"])
    tempfile.tempdir = request["work"]
    policy = sandbox.Policy(
        uid=request.get("uid"),
        gid=request.get("uid"),
        readable=(*sandbox.system_readable(), *request.get("readable", ())),
        writable=(request["work"],),
        limits=sandbox.Limits(**request.get("limits", {})),
        landlock=request.get("landlock", "require"),
        seccomp=request.get("seccomp", "require"),
        cuda=request.get("cuda", False),
    )
    layers = request.get("layers", "all")
    if "before" in request:
        globals()[request["before"]]()
    if layers == "all":
        global applied
        applied = sandbox.enter(policy, parent_pid=request.get("parent_pid"))
    elif layers == "landlock":
        rules = [(path, landlock.READ) for path in policy.readable] + [(request["work"], landlock.WRITE)]
        ruleset = landlock.build(landlock.abi()[0], rules)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        landlock.restrict(ruleset)
    elif layers == "seccomp":
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        seccomp.install(seccomp.program(platform.machine(), pid=os.getpid()))
    return globals()[request["attempt"]]()


# ---- files


def touch(path, flags=os.O_RDONLY):
    os.close(os.open(path, flags, 0o600))


def read_passwd():
    touch("/etc/passwd")


def read_shadow():
    touch("/etc/shadow")


def read_world_readable():
    touch(f"{OUTSIDE}/note.txt")


def write_world_writable():
    touch(f"{OUTSIDE}/note.txt", os.O_WRONLY)


def create_outside():
    touch(f"{OUTSIDE}/new-{os.getpid()}", NEW)


def truncate_outside():
    os.truncate(f"{OUTSIDE}/note.txt", 1)


def list_outside():
    os.listdir(OUTSIDE)


def list_proc():
    os.listdir("/proc")


def list_proc_1():
    os.listdir("/proc/1")


def list_tmp():
    os.listdir("/tmp")


def list_shm():
    os.listdir("/dev/shm")


def write_shm():
    name = f"/dev/shm/gradkit-{os.getpid()}"
    touch(name, NEW)
    os.unlink(name)


def read_host_environ():
    touch(f"/proc/{HOST}/environ")


def read_host_memory():
    touch(f"/proc/{HOST}/mem")


def read_own_proc():
    touch("/proc/self/environ")


def read_own_maps():
    touch("/proc/self/maps")


def name_own_thread():
    with open("/proc/thread-self/comm", "wb") as name:
        name.write(b"cuda")


def write_site_packages():
    name = os.path.join(sysconfig.get_paths()["purelib"], f"gradkit-test-{os.getpid()}.pth")
    touch(name, NEW)
    os.unlink(name)


def link_from_outside():
    os.link(f"{OUTSIDE}/note.txt", f"linked-{os.getpid()}")


def rename_to_outside():
    touch("mine", NEW)
    os.rename("mine", f"{OUTSIDE}/mine-{os.getpid()}")


def symlink():
    os.symlink("/etc/passwd", f"link-{os.getpid()}")


def make_fifo():
    os.mkfifo(f"fifo-{os.getpid()}")


def chmod_outside():
    os.chmod(f"{OUTSIDE}/note.txt", 0o666)


def utime_outside():
    os.utime(f"{OUTSIDE}/note.txt")


def setxattr_work():
    os.setxattr(".", "user.gradkit", b"1")


def watch_outside():
    descriptor = syscall(NUMBERS["inotify_init1"], 0)
    syscall(NUMBERS["inotify_add_watch"], descriptor, OUTSIDE.encode() + b"\0", 2)


def ioctl_on_device():
    with open("/dev/null", "rb") as null:
        fcntl.ioctl(null, 0x5401, bytes(64))  # TCGETS


# ---- network


def socket_inet():
    socket.socket(socket.AF_INET)


def socket_inet6():
    socket.socket(socket.AF_INET6)


def socket_unix():
    socket.socket(socket.AF_UNIX)


def socket_netlink():
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)


def socketpair():
    socket.socketpair()


def bind_tcp():
    socket.socket(socket.AF_INET).bind(("127.0.0.1", 0))


def connect_tcp():
    socket.socket(socket.AF_INET).connect(("127.0.0.1", 9))


def connect_abstract():
    socket.socket(socket.AF_UNIX).connect(ABSTRACT)


# ---- processes


def fork():
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def spawn():
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def execute():
    # the dynamic loader: a program in a folder that is readable
    loader = (glob.glob("/lib64/ld-*.so*") + glob.glob("/lib/ld-*.so*"))[0]
    os.execv(loader, [loader, "/bin/true"])


def clone3():
    syscall(NUMBERS["clone3"], None, 0)


def new_session():
    os.setsid()


def unshare_user():
    syscall(NUMBERS["unshare"], 0x10000000)


def ptrace():
    syscall(NUMBERS["ptrace"], 0, 0, 0, 0)  # PTRACE_TRACEME


def read_host_by_vm():
    here = ctypes.create_string_buffer(8)
    vector = (ctypes.c_uint64 * 2)(ctypes.addressof(here), 8)
    # the host forked this child: what is mapped here is mapped there
    syscall(NUMBERS["process_vm_readv"], HOST, ctypes.byref(vector), 1, ctypes.byref(vector), 1, 0)


def pidfd_of_host():
    syscall(NUMBERS["pidfd_open"], HOST, 0)


def signal_host():
    os.kill(HOST, 0)


def signal_host_thread():
    syscall(NUMBERS["tgkill"], HOST, HOST, 0)


def signal_group():
    os.kill(0, 0)


def signal_everyone():
    os.kill(-1, 0)


def own_sigio_of_host():
    fcntl.fcntl(0, fcntl.F_SETOWN, HOST)


def limit_host():
    resource.prlimit(HOST, resource.RLIMIT_CPU)


def slow_host_down():
    os.sched_setaffinity(HOST, os.sched_getaffinity(0))


def renice_host():
    os.setpriority(os.PRIO_PROCESS, HOST, 0)


def become_root():
    os.setresuid(0, 0, 0)


def set_groups():
    os.setgroups([0])


def mount():
    syscall(NUMBERS["mount"], None, None, None, 0, None)


def outlive_the_zygote():
    prctl(PR_SET_PDEATHSIG, 0)


def make_dumpable():
    prctl(PR_SET_DUMPABLE, 1)


# ---- kernel interfaces


def io_uring():
    syscall(NUMBERS["io_uring_setup"], 1, bytes(120))


def memfd():
    os.memfd_create("x")


def shared_memory():
    identifier = syscall(NUMBERS["shmget"], 0, 4096, 0o600)
    syscall(NUMBERS["shmctl"], identifier, 0, None)


def type_into_terminal():
    fcntl.ioctl(0, 0x5412, b"x")  # TIOCSTI


def newer_than_the_table():
    syscall(seccomp.NEWEST_KNOWN + 1, 1 << 20, None, None, 0)  # cachestat, of no descriptor


def every_denied_call():
    """Each call of the deny list, with arguments of zero, that did not answer EPERM."""
    let_through = []
    for name in seccomp.DENIED:
        if NUMBERS[name] is not None:
            try:
                syscall(NUMBERS[name], 0, 0, 0, 0, 0, 0)
                let_through.append(name)
            except PermissionError:
                pass
            except OSError as error:
                let_through.append(f"{name}: {error}")
    return ", ".join(let_through)


def x32_call():
    syscall(0x40000000 | 39)  # getpid


def i386_call():
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20; int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    ctypes.CFUNCTYPE(ctypes.c_int)(address)()


# ---- limits


def allocate():
    bytearray(1 << 30)


def allocate_a_little():
    bytearray(32 << 20)


def allocate_tensor():
    torch.empty(1 << 30, dtype=torch.uint8)


def write_large():
    with open("large", "wb", buffering=0) as file:
        for _ in range(4):
            file.write(bytes(1 << 20))


def open_many():
    [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]


def start_threads():
    done = threading.Event()
    threads = []
    try:
        for _ in range(20):
            threads.append(threading.Thread(target=done.wait))
            threads[-1].start()
    finally:
        done.set()


def lock_memory():
    if ctypes.CDLL(None, use_errno=True).mlock(ctypes.create_string_buffer(1), 1) != 0:
        raise OSError(ctypes.get_errno(), "mlock")


def spin():
    while True:
        pass


def abort():
    os.abort()


# ---- what honest code does


def numpy_and_torch():
    x = torch.randn(64, 64, requires_grad=True)
    (x @ x).sum().backward()
    assert x.grad.shape == (64, 64)
    torch.optim.Adam([x]).step()
    torch.nn.TransformerEncoderLayer(16, 2, batch_first=True)(torch.randn(2, 3, 16)).sum().backward()
    torch.func.jacrev(torch.sin)(torch.randn(3))
    assert torch.linalg.svd(torch.randn(4, 4))[1].shape == (4,)
    assert np.linalg.svd(np.eye(4))[1].sum() == 4
    np.random.default_rng().normal(size=3)


def several_torch_threads():
    torch.set_num_threads(2)
    a = torch.ones(600, 600)
    assert (a @ a).sum() == 600**3


def lazy_imports():
    import decimal
    import random
    import zoneinfo

    import regex
    import torch.fft

    assert torch.fft.fft(torch.ones(4))[0] == 4
    assert decimal.Decimal("0.1") + decimal.Decimal("0.2") == decimal.Decimal("0.3")
    assert zoneinfo.ZoneInfo("Europe/Rome").key == "Europe/Rome"
    assert regex.findall(r"\p{L}+", "però 1") == ["però"]
    random.random()
    time.localtime()
    os.urandom(8)


def threads():
    results = []
    workers = [threading.Thread(target=lambda: results.append(torch.ones(3).sum().item())) for _ in range(8)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    assert results == [3.0] * 8


def files():
    torch.save(torch.ones(3), "x.pt")
    assert torch.load("x.pt").sum() == 3
    np.savez("x.npz", a=np.ones(3))
    os.makedirs("a/b")
    os.replace("x.npz", "a/b/y.npz")
    assert np.load("a/b/y.npz")["a"].sum() == 3
    with tempfile.TemporaryDirectory() as folder:
        touch(f"{folder}/z", NEW)
    os.truncate("a/b/y.npz", 0)
    os.remove("a/b/y.npz")
    with open(os.devnull, "w", encoding="utf-8") as null:
        print("unheard", file=null)
    os.removedirs("a/b")


def own_signals():
    caught = []
    signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
    signal.raise_signal(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert caught == [1, 1]
    resource.getrlimit(resource.RLIMIT_AS)
    os.sched_setaffinity(0, os.sched_getaffinity(0))


# ---- what holds inside, and entering that must fail


def status():
    """What the kernel says of this process."""
    wanted = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Seccomp")
    with open("/proc/self/status", encoding="utf-8") as file:
        found = dict(line.rstrip("\n").split(":\t", 1) for line in file if line.split(":")[0] in wanted)
    with open("/proc/self/oom_score_adj", encoding="utf-8") as file:
        found["oom_score_adj"] = file.read().strip()
    found["dumpable"] = prctl(PR_GET_DUMPABLE)
    for name in ("RLIMIT_CORE", "RLIMIT_MSGQUEUE"):
        found[name] = resource.getrlimit(getattr(resource, name))[1]
    return json.dumps(found)


def show_applied():
    return json.dumps(applied.__dict__)


def with_kept_capabilities():
    if os.getuid() == 0:
        prctl(PR_SET_KEEPCAPS, 1)


def with_a_second_thread():
    threading.Thread(target=time.sleep, args=(5,), daemon=True).start()


def in_a_hardened_zygote():
    sandbox.harden_zygote()


def on_another_machine():
    platform.machine = lambda: "riscv64"


def with_an_old_kernel():
    landlock.abi = lambda: (5, "")


def where_landlock_is_blocked():
    _answer(landlock.CREATE_RULESET, errno.EPERM)


def where_landlock_is_disabled():
    _answer(landlock.CREATE_RULESET, errno.EOPNOTSUPP)


def _answer(number, with_errno):
    """From now on the system call `number` fails with `with_errno`."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install([
        (seccomp.LOAD, 0, None, None),
        (seccomp.EQUAL, number, None, "ALLOW"),
        (seccomp.RETURN, 0x00050000 | with_errno, None, None),
        "ALLOW", (seccomp.RETURN, 0x7FFF0000, None, None),
    ])  # fmt: skip


def landlock_reason():
    return landlock.abi()[1]


def orphan():
    """A sandboxed grandchild, whose parent is then killed; says whether it outlived it by a second."""
    reading, writing = os.pipe()
    policy = sandbox.Policy(None, None, (), ()) if os.getuid() else sandbox.Policy(64001, 64001, (), ())
    if (parent := os.fork()) == 0:
        child_ready, ready = os.pipe()
        here = os.getpid()
        if os.fork() == 0:
            sandbox.enter(policy, parent_pid=here)
            os.write(ready, b"x")
            time.sleep(1)
            os.write(writing, b"alive")
            os._exit(0)
        os.read(child_ready, 1)
        os.kill(here, signal.SIGKILL)
    os.close(writing)
    os.waitpid(parent, 0)
    return os.read(reading, 5).decode()  # end of file when the grandchild is gone


def adopt():
    sandbox.become_subreaper()
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.05)
        os._exit(0)
    os.wait()  # the child
    os.wait()  # the grandchild, now ours


if __name__ == "__main__":
    main()
