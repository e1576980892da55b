"""Says in minutes what a machine with a GPU makes of this kit: `make gpu`.

    python3 tests/gpu/run.py                 every part that has not passed yet for these files
    python3 tests/gpu/run.py --again         all of them
    python3 tests/gpu/run.py --only timer    one
    python3 tests/gpu/run.py --simulate      with the CPU in the device's place: everything but what is CUDA's own

It starts with nothing but a `python3` that has a CUDA build of torch, on Linux, without a network, from a checkout and a folder of
wheels that `make gpu-wheels` collected elsewhere. Each part is a process with a time limit of its own. What came of it is kept at
once, in results.json and page.html: a part that hangs, or a machine that goes away, costs no other part's result.

Only Python's own library is used here; the parts themselves are in parts.py.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import datetime
import hashlib
import html
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ROOT / "tests" / "gpu" / "parts.py"
DEVICE_FILE = Path("/dev/nvidiactl")
PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
STANDIN = "cpu:0"  # a name for the CPU that is not `cpu`: tensors are moved there, and what is marked for a GPU is run
KILLED_WITHIN_S = 10.0  # a process in the middle of a call to the driver takes a moment to die


@dataclass
class Part:
    """One question to the machine.

    Attributes:
        name: What `--only` knows it by.
        what: What it shows, in a sentence.
        limit_s: After which it is ended and has failed.
        device: Whether it is for a machine with a device.
    """

    name: str
    what: str
    limit_s: float
    device: bool = True


@dataclass
class Result:
    """What came of a part."""

    name: str
    what: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0
    commit: str = ""
    device: str = ""
    date: str = ""
    figures: dict[str, object] = field(default_factory=dict)


def course() -> list[str]:
    """The assignments that have a check for a GPU, in the order of the course, read with Python's own library."""
    import tomllib

    manifests = [
        (path.parent.name, tomllib.loads(path.read_text(encoding="utf-8")))
        for path in (ROOT / "assignments").glob("*/assignment.toml")
    ]
    tests = {
        name: [ROOT / "assignments" / name / f"test_{name}.py", ROOT / "solutions" / name / "test_hidden.py"]
        for name, _ in manifests
    }
    marked = {
        name
        for name, paths in tests.items()
        if any("@pytest.mark.gpu" in path.read_text(encoding="utf-8") for path in paths)
    }
    return [name for name, manifest in sorted(manifests, key=lambda pair: pair[1]["order"]) if name in marked]


def all_parts() -> list[Part]:
    """What decides most comes first: where time runs out, the rest is for another run."""
    return [
        Part("doctor", "gradkit doctor, and what torch and nvidia-smi say of the device.", 60, device=False),
        Part(
            "sandbox",
            "A worker computes on the device inside its sandbox; what it uses there, and which limit would be in the way.",
            120,
        ),
        Part(
            "timer",
            "The timer of gpu_timing against CUDA events over a long repetition, and against Triton's do_bench.",
            60,
        ),
        *(
            Part(
                f"grade {name}",
                f"{name}: the reference, the stub, another solution and five mistakes, graded on the device and on the CPU.",
                90,
            )
            for name in course()
        ),
        Part("attacks", "The hostile submissions of the corpus that are about a GPU.", 150),
        Part("tests", "The kit's own tests that are marked gpu.", 60),
        Part("memory", "Video memory is as free at the end as it was at the start.", 40),
    ]


class Record:
    """results.json and page.html in a folder, written anew with each result."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "results.json"
        self._page = folder / "page.html"
        folder.mkdir(parents=True, exist_ok=True)
        self.results: dict[str, Result] = {}
        if self._path.exists():
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            self.results = {each["name"]: Result(**each) for each in kept["parts"]}

    def put(self, result: Result, order: list[str]) -> None:
        self.results[result.name] = result
        parts = [self.results[name] for name in order if name in self.results]
        state = {
            "machine": platform.node(),
            "system": f"{platform.system()} {platform.release()}",
            "parts": [asdict(part) for part in parts],
        }
        _replace(self._path, json.dumps(state, indent=1, ensure_ascii=False) + "\n")
        _replace(self._page, page(parts))


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is whole at any time."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


# ---- one part


def run_part(part: Part, command: list[str], told: Path, environment: dict[str, str]) -> Result:
    """Run a part's process to its end or to its limit.

    Args:
        part: Which one.
        command: Starts the process, which writes what it finds into `told` as it goes.
        told: A file of {"outcome": …, "reason": …, "figures": {…}}.
        environment: The process's.
    """
    told.unlink(missing_ok=True)
    log = told.with_suffix(".log")
    begun = time.monotonic()
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        late = False
        try:
            process.wait(part.limit_s)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            gone = _end(process)
    seconds = time.monotonic() - begun
    found = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
    result = Result(
        part.name,
        part.what,
        found.get("outcome") or FAILED,
        found.get("reason", ""),
        seconds,
        figures=found.get("figures", {}),
    )
    if late:
        result.outcome = FAILED
        at = f", at {found['at']}" if found.get("at") else ""
        result.reason = f"ended after its limit of {part.limit_s:g} s{at}" + (
            "" if gone else ", and could not be killed"
        )
    elif process.returncode != 0 or not found.get("outcome"):
        result.outcome = FAILED
        result.reason = f"the process ended with {_ending(process.returncode)}: {_last_line(log)}"
    return result


def _end(process: subprocess.Popen) -> bool:
    """Kill a part's process, if it is still there, and all that descends from it; whether nothing is left.

    A judge has a session of its own. Whatever loses its parent becomes a child of this process: see `adopt`.
    """
    process.poll()
    deadline = time.monotonic() + KILLED_WITHIN_S
    while left := _descendants():
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if process.poll() is not None:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def adopt() -> None:
    """Become the parent of whatever loses its own below this process."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this system lets no process adopt others: Linux is needed")


def _descendants() -> set[int]:
    """All that descends from this process; what has ended and waits to be asked for, too."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(
                path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            )
    below: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent == os.getpid() or parent in below} - below:
        below |= more
    return below


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"status {code}"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"


# ---- the interpreter


def interpreter(python: str, wheels: Path, folder: Path, told: Path) -> tuple[str, Result]:
    """An interpreter that has this kit and the torch of `python`, and how it came about; empty where there is none.

    Where `python` has no kit, it is put into an environment on top of it, from wheels, without a network.
    """
    part = Part("environment", "An environment with this kit, on top of the torch that is there.", 150, device=False)
    begun = time.monotonic()
    done = partial_result(part)
    try:
        if _has(python, "gradkit", "torch"):
            done.figures = {"interpreter": python, "made": "not needed: it has the kit"}
            return python, _finished(done, begun)
        if not _has(python, "torch"):
            raise RuntimeError(f"{python} has no torch: give the one that has it, GPU_PYTHON=/path/to/python3")
        made = _environment(python, wheels, folder, told.with_suffix(".log"))
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        done.outcome, done.reason = FAILED, str(error)
        return "", _finished(done, begun)
    done.figures = {"interpreter": made, "made": f"from {wheels}"}
    return made, _finished(done, begun)


def partial_result(part: Part) -> Result:
    return Result(part.name, part.what, PASSED)


def _finished(result: Result, begun: float) -> Result:
    result.seconds = time.monotonic() - begun
    return result


def _has(python: str, *modules: str) -> bool:
    command = [
        python,
        "-I",
        "-c",
        "import importlib.util, sys; sys.exit(any(importlib.util.find_spec(name) is None for name in sys.argv[1:]))",
    ]
    return subprocess.run([*command, *modules], capture_output=True, timeout=60).returncode == 0


def _environment(python: str, wheels: Path, folder: Path, log: Path) -> str:
    """Make it, or bring the one that is there up to date, and say where its interpreter is."""
    os.umask(0o022)  # a worker has a user of its own, who reads the packages
    made = str(folder / "bin" / "python")
    if not (Path(made).exists() and _has(made, "torch", "pytest", "msgspec")):
        pip = next(iter(sorted(wheels.glob("pip-*.whl"))), None)
        if pip is None:
            raise RuntimeError(
                f"no wheels in {wheels}: run make gpu-wheels where there is a network, and bring that folder along"
            )
        shutil.rmtree(folder, ignore_errors=True)
        with open(log, "wb") as output:
            say = {"stdout": output, "stderr": output, "timeout": 120}
            subprocess.run(
                [python, "-m", "venv", "--without-pip", "--system-site-packages", str(folder)], check=True, **say
            )
            # The torch may be in an environment itself, of which this new one knows nothing.
            there = _asked(
                python,
                "import importlib.util, pathlib; print(pathlib.Path(importlib.util.find_spec('torch').origin).parent.parent)",
            )
            (_packages(made) / "torch_there.pth").write_text(f"{there}\n", encoding="utf-8")
            install = [
                made,
                f"{pip}/pip",
                "install",
                "--no-index",
                "--find-links",
                str(wheels),
                "--disable-pip-version-check",
                "--no-cache-dir",
            ]
            if (
                subprocess.run(
                    [*install, *(wheels / "requirements.txt").read_text(encoding="utf-8").split()], **say
                ).returncode
                != 0
            ):
                raise RuntimeError(f"pip could not install from {wheels}: {_last_line(log)}")
    for package in (ROOT / "autograder" / "gradkit", ROOT / "shared" / "coursekit"):
        if is_closed(ROOT):
            shutil.copytree(package, _packages(made) / package.name, dirs_exist_ok=True)
        else:
            (_packages(made) / f"{package.name}_there.pth").write_text(f"{package.parent}\n", encoding="utf-8")
    return made


def is_closed(folder: Path) -> bool:
    """Whether other users may not enter a folder: then a worker could read nothing in it."""
    return any(not each.stat().st_mode & 0o001 for each in (folder, *folder.parents))


def _packages(python: str) -> Path:
    return Path(_asked(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))


def _asked(python: str, code: str) -> str:
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout.strip()


# ---- all of them


def run(options: argparse.Namespace) -> list[Result]:
    """Run what is to be run, and keep each result as it comes."""
    adopt()
    record = Record(options.out)
    commit = _commit()
    parts = all_parts()
    order = ["environment", *(part.name for part in parts)]
    wanted = [part for part in parts if not options.only or part.name in options.only]
    device = STANDIN if options.simulate else "cuda"
    begun = time.monotonic()
    record.results = {
        name: each for name, each in record.results.items() if (each.commit, each.device) == (commit, device)
    }

    def keep(result: Result) -> None:
        result.commit, result.device = commit, device
        result.date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
        record.put(result, order)
        print(
            f"{result.outcome:<8} {result.seconds:6.1f} s  {result.name}{': ' if result.reason else ''}{result.reason}",
            flush=True,
        )

    python, made = interpreter(options.python, options.wheels, options.environment, options.out / "environment.json")
    keep(made)
    scratch = options.out / "parts"
    scratch.mkdir(exist_ok=True)
    present = options.simulate or bool(python and DEVICE_FILE.exists())
    reason = "" if python else "there is no environment to run it in"
    if python and not options.simulate:
        reason = "no NVIDIA device is here" if not present else _why_no_cuda(python)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GRADKIT_MEMORY_AT_START": _video_memory(),
    }
    for part in wanted:
        known = record.results.get(part.name)
        if known and known.outcome == PASSED and not options.again:
            print(f"{known.outcome:<8} before    {part.name}", flush=True)
            continue
        left_s = options.minutes * 60 - (time.monotonic() - begun)
        why = reason if part.device or not python else ""
        if not why and left_s <= 0:
            why = f"the {options.minutes:g} minutes are over: run this again for the rest"
        if why:
            keep(Result(part.name, part.what, NOT_RUN, why))
            continue
        told = scratch / f"{part.name.replace(' ', '_')}.json"
        part.limit_s = min(part.limit_s, max(left_s, 5.0))
        keep(run_part(part, [python, str(PARTS), part.name, "--device", device, "--out", str(told)], told, environment))
    return [record.results[name] for name in order if name in record.results]


def _why_no_cuda(python: str) -> str:
    """Why torch has no device here, asked in a process of its own; empty where it has one."""
    code = "import torch; print('' if torch.cuda.is_available() else f'torch {torch.__version__} finds no CUDA device')"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "torch.cuda.is_available() did not answer within 60 s"
    return (
        done.stdout.strip() if done.returncode == 0 else f"import torch failed: {done.stderr.strip().splitlines()[-1:]}"
    )


def _video_memory() -> str:
    """MiB in use on the first device, as nvidia-smi says it; empty where it says nothing."""
    try:
        words = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        return subprocess.run(words, capture_output=True, text=True, timeout=20).stdout.split("\n")[0].strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _commit() -> str:
    """The commit of this checkout; where a file differs from it, or there is no git, a hash of the kit's files."""
    words = ["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}"]
    said = []
    for question in (["status", "--porcelain"], ["rev-parse", "--short=12", "HEAD"]):
        try:
            said.append(
                subprocess.run(
                    [*words, *question], capture_output=True, text=True, check=True, timeout=20
                ).stdout.strip()
            )
        except (OSError, subprocess.SubprocessError):
            said.append("unknown")
    if not said[0]:
        return said[1]
    digest = hashlib.sha256()
    for path in sorted(
        path
        for folder in ("assignments", "autograder", "shared", "solutions", "tests")
        for path in (ROOT / folder).rglob("*")
    ):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return f"files {digest.hexdigest()[:12]}"


# ---- the page

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem }
table { border-collapse: collapse; width: 100%; font-size: .93rem } td, th { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid #dde3ea }
td.number, th.number { text-align: right; white-space: nowrap } td.name { white-space: nowrap }
.outcome { font-weight: 600; white-space: nowrap } .passed { color: #17693a } .failed { color: #b3261e } .not_run { color: #5f6b7a }
pre { background: #f4f6f8; padding: .7rem; overflow-x: auto; white-space: pre-wrap; font-size: .85rem }
"""


def page(results: list[Result]) -> str:
    """One page without a script or a link, to be mailed as it is."""
    counts = {outcome: sum(result.outcome == outcome for result in results) for outcome in (PASSED, FAILED, NOT_RUN)}
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    last = results[-1]
    title = "This kit with the CPU in a GPU's place" if last.device == STANDIN else "This kit on a machine with a GPU"
    rows = "".join(
        f'<tr><td class="name">{_text(result.name)}</td><td class="outcome {result.outcome.replace(" ", "_")}">{result.outcome}</td>'
        f'<td class="number">{result.seconds:.1f}</td><td>{_text(result.reason or result.what)}</td></tr>'
        for result in results
    )
    details = "".join(
        f"<h2>{_text(result.name)}</h2><p>{_text(result.what)}</p>{''.join(map(_figure, result.figures.items()))}"
        for result in results
        if result.figures
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>{said}, in {sum(result.seconds for result in results):.0f} s. "
        f"{'' if last.commit.startswith('files') else 'Commit '}{_text(last.commit)}; {_text(platform.system())} {_text(platform.release())}; {_text(last.date)}.</p>"
        f'<table><tr><th>part</th><th>outcome</th><th class="number">seconds</th><th>reason, or what it shows</th></tr>{rows}</table>{details}</html>\n'
    )


def _figure(pair: tuple[str, object]) -> str:
    name, value = pair
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        heads = list(dict.fromkeys(key for row in value for key in row))
        body = "".join(
            f"<tr>{''.join(f'<td>{_text(_short(row.get(head)))}</td>' for head in heads)}</tr>" for row in value
        )
        return (
            f"<p>{_text(name)}</p><table><tr>{''.join(f'<th>{_text(head)}</th>' for head in heads)}</tr>{body}</table>"
        )
    if isinstance(value, list):
        return f"<p>{_text(name)}</p><pre>{_text(chr(10).join(map(str, value)))}</pre>"
    return f"<p>{_text(name)}: {_text(_short(value))}</p>"


def _short(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _text(value: object) -> str:
    return html.escape(str(value))


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    environment = (
        Path(f"/var/tmp/gradkit-gpu-{zlib.crc32(str(ROOT).encode()):08x}")
        if is_closed(ROOT)
        else ROOT / "build" / "gpu" / "venv"
    )
    parser = argparse.ArgumentParser(prog="make gpu", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "gpu", help="where results.json and page.html go")
    parser.add_argument(
        "--wheels", type=Path, default=ROOT / "build" / "gpu-wheels", help="what make gpu-wheels collected"
    )
    parser.add_argument(
        "--environment", type=Path, default=environment, help="where an environment is made, if one is needed"
    )
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has torch")
    parser.add_argument("--minutes", type=float, default=8.0, help="after which nothing more is begun")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PART", choices=[part.name for part in all_parts()]
    )
    parser.add_argument("--again", action="store_true", help="also what has passed for these files")
    parser.add_argument("--simulate", action="store_true", help="with the CPU in the device's place")
    options = parser.parse_args(words)
    for name in ("out", "wheels", "environment"):
        setattr(options, name, getattr(options, name).resolve())
    return options


def main() -> int:
    options = arguments()
    results = run(options)
    print(f"\n{options.out / 'page.html'}")
    return int(any(result.outcome == FAILED for result in results))


if __name__ == "__main__":
    sys.exit(main())
