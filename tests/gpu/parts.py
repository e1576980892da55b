"""The parts of `make gpu`, each run as a process of its own: `python parts.py NAME --device cuda --out FILE`.

A part tells what it found as it goes, so that what it had is kept when it is ended. It uses gradkit as its commands do.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MISTAKES = 5  # of each assignment
SEED = 1


class NotRun(Exception):
    """A part can't be run here; its text says why."""


class Failed(Exception):
    """A part shows that something is wrong; its text says what."""


class Told:
    """What a part has found so far, in a file that is whole at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: dict[str, object] = {"figures": {}}

    def at(self, step: str) -> None:
        """Say what is being done, for whoever ends this."""
        self._write(at=step)

    def figure(self, name: str, value: object) -> None:
        self._state["figures"][name] = value
        self._write()

    def end(self, outcome: str, reason: str = "") -> None:
        self._write(outcome=outcome, reason=reason)

    def _write(self, **state: object) -> None:
        self._state |= state
        new = self._path.with_name(f"{self._path.name}.new")
        new.write_text(json.dumps(self._state, ensure_ascii=False), encoding="utf-8")
        new.replace(self._path)


# ---- what the machine says


def doctor(device: str, told: Told) -> None:
    """gradkit doctor, torch and nvidia-smi."""
    done = subprocess.run(
        [sys.executable, "-m", "gradkit", "doctor"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        env={**os.environ, "COLUMNS": "160"},
    )
    told.figure("gradkit doctor", (done.stdout + done.stderr).strip().splitlines())
    told.figure("interpreter", f"Python {sys.version.split()[0]} at {sys.executable}")
    import torch

    told.figure(
        "torch",
        f"{torch.__version__}, for CUDA {torch.version.cuda}"
        if torch.version.cuda
        else f"{torch.__version__}, without CUDA",
    )
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        told.figure(
            "device",
            f"{card.name}, {card.total_memory / 2**30:.1f} GiB, {card.multi_processor_count} multiprocessors, capability {card.major}.{card.minor}",
        )
    with contextlib.suppress(FileNotFoundError):
        words = [
            "nvidia-smi",
            "--query-gpu=name,driver_version,memory.total,memory.used,mig.mode.current,compute_mode",
            "--format=csv,noheader",
        ]
        smi = subprocess.run(words, capture_output=True, text=True, timeout=30)
        told.figure("nvidia-smi", (smi.stdout + smi.stderr).strip().splitlines())
    told.figure(
        "device files",
        [f"{os.stat(path).st_mode & 0o777:o} {path}" for path in sorted(map(str, Path("/dev").glob("nvidia*")))]
        or "none",
    )
    if done.returncode != 0:
        raise Failed(f"gradkit doctor ends with status {done.returncode}")
    if device == "cuda" and not torch.cuda.is_available():
        raise NotRun("no CUDA device is here; what else the machine gives stands below")


# ---- the sandbox

# What a relaxed sandbox leaves out, in the order in which it is tried where the whole one stops the driver.
RELAXED = ("open_files", "threads", "file_mib", "memlock", "filter", "landlock")


def sandbox(device: str, told: Told) -> None:
    """Compute in the workers' own sandbox; where that fails, find what is in the way."""
    whole = _probe(device, [])
    told.figure("in the whole sandbox", [whole])
    if not whole["works"]:
        told.figure("where the device works without a sandbox", [_probe(device, ["everything"])])
        rows, guilty = [], ""
        for name in RELAXED:
            told.at(f"without {name}")
            rows.append(_probe(device, [name]))
            told.figure("without one limit", rows)
            if rows[-1]["works"]:
                guilty = name
                break
        if guilty == "filter":
            told.figure("the call that is refused", _refused_call(device, told))
        raise Failed(
            f"the device does not work in the sandbox ({whole['error']}): "
            + (f"{guilty} is in the way" if guilty else "no single limit is in the way")
        )
    told.at("with a limit on the address space")
    limited = _probe(device, [], address_space=True)
    told.figure("with a limit on the address space, which workers with a device don't have", [limited])


def _refused_call(device: str, told: Told) -> str:
    """The one system call of the filter without which the device does not work, found by halving."""
    from gradkit.worker import seccomp

    names = sorted(seccomp.DENIED)
    while len(names) > 1:
        told.at(f"one of {len(names)} system calls")
        half = names[: len(names) // 2]
        names = half if _probe(device, [f"call:{name}" for name in half])["works"] else names[len(names) // 2 :]
    return names[0] if _probe(device, [f"call:{names[0]}"])["works"] else "more than one"


def _probe(device: str, relaxed: list[str], *, address_space: bool = False) -> dict[str, object]:
    """What a process that enters the sandbox and computes on the device says of itself."""
    words = [
        sys.executable,
        str(Path(__file__).with_name("probe.py")),
        device,
        ",".join(relaxed),
        str(int(address_space)),
    ]
    row: dict[str, object] = {"without": ", ".join(relaxed[:3]) or "nothing", "works": False, "error": ""}
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=40)
    except subprocess.TimeoutExpired:
        return {**row, "error": "no answer within 40 s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {**row, "error": f"status {done.returncode}: {said[:200]}"}
    return {**row, **json.loads(lines[-1])}


# ---- grading


def grade(device: str, told: Told, id: str) -> None:
    """Grade variants of an assignment on the device and on the CPU, and hold the two against each other."""
    from gradkit.batch import Batch
    from gradkit.judges import LocalJudges
    from gradkit.manifest import load_assignment

    assignment = load_assignment(ROOT, id)
    if device != "cuda" and "CudaDevice(" in assignment.public_tests.read_text(encoding="utf-8"):
        raise NotRun("its GPU checks time CUDA itself, which has no stand-in")
    with tempfile.TemporaryDirectory(prefix="gradkit-gpu-") as folder:
        top = Path(folder)
        kinds = _hand_in(assignment, top / "in")

        def graded(where: str, jobs: int) -> dict[str, dict]:
            with LocalJudges(ROOT, id, device=where, jobs=jobs, repair_s=0.0) as judges:
                for note in judges.notes:
                    told.figure("note", note)
                batch = Batch(assignment, [top / "in"], top / where, judges, seed=SEED)
                batch.run(lambda row: told.at(f"what comes after {row.submission}") if where != "cpu" else None)
                return _outcomes(top / where, kinds)

        with concurrent.futures.ThreadPoolExecutor(
            1
        ) as pool:  # the CPU's grades meanwhile: they take none of the device
            cpu = pool.submit(graded, "cpu", max(1, min(6, (os.cpu_count() or 1) - 2)))
            there = graded(device, 1)
            told.at("the CPU's grades")
            here = cpu.result()
    rows, wrong = [], []
    for name, kind in kinds.items():
        one, other = here[name], there[name]
        differing = sorted(
            check
            for check in one["checks"]
            if {one["checks"][check], other["checks"].get(check)}.isdisjoint({"not_run"})
            and one["checks"][check] != other["checks"].get(check)
        )
        rows.append(
            {
                "submission": name,
                "kind": kind,
                "CPU": one["said"],
                "device": other["said"],
                "seconds": other["seconds"],
                "differing checks": ", ".join(differing),
            }
        )
        if differing:
            wrong.append(f"{name} differs in {', '.join(differing[:3])}")
        if kind in ("reference", "alternative") and (other["lost"] or other["status"] != "graded"):
            wrong.append(f"{name} fails {', '.join(other['lost'][:3]) or other['said']}")
        if kind == "stub" and other["score"] != 0:
            wrong.append(f"the stub gets {other['said']}")
        if kind == "mistake" and other["status"] == "graded" and not other["lost"]:
            wrong.append(f"the mistake {name} loses nothing")
        told.figure("scores", rows)
    only_there = sorted(
        check
        for check, outcome in there["reference"]["checks"].items()
        if here["reference"]["checks"].get(check) == "not_run"
    )
    told.figure(
        "checks that run on the device alone",
        [f"{check}: {there['reference']['checks'][check]}" for check in only_there],
    )
    if wrong:
        raise Failed("; ".join(wrong))


def _hand_in(assignment: object, folder: Path) -> dict[str, str]:
    """Write the submissions; what each is, by its name."""
    from gradkit.mistakes import read_mistakes
    from gradkit.stubs import build_stub, read_authored

    reference = read_authored(assignment.reference)
    known = [mistake for mistake in read_mistakes(assignment) if not mistake.decoy]
    spread = [known[round(place * (len(known) - 1) / (MISTAKES - 1))] for place in range(MISTAKES)]  # over all tasks
    found = {"reference": ("reference", reference), "stub": ("stub", build_stub(assignment))}
    found |= {path.stem: ("alternative", read_authored(path)) for path in assignment.alternatives()[:1]}
    found |= {mistake.name: ("mistake", mistake.submission(reference)) for mistake in spread}
    for name, (_, source) in found.items():
        (folder / name).mkdir(parents=True)
        (folder / name / assignment.manifest.module).write_text(source, encoding="utf-8")
    return {name: kind for name, (kind, _) in found.items()}


def _outcomes(out: Path, kinds: dict[str, str]) -> dict[str, dict]:
    """What came of each submission, from the files that `gradkit grade` writes."""
    from gradkit import results
    from gradkit.model import Outcome

    found = {}
    for name in kinds:
        graded = results.read(out / name)
        said = (
            f"{graded.score:g}/{graded.max_score:g}"
            if graded.status == "graded"
            else f"{graded.status}: {graded.reason[:120]}"
        )
        found[name] = {
            "status": graded.status,
            "score": graded.score,
            "said": said,
            "seconds": round(graded.elapsed_s, 2),
            "checks": {result.check.id: result.outcome.value for result in graded.results},
            "lost": [
                result.check.id for result in graded.results if result.outcome not in (Outcome.PASSED, Outcome.NOT_RUN)
            ],
        }
    return found


# ---- the timer


def timer(device: str, told: Told) -> None:
    """Hold the reference's timer against two others, for three kinds of kernel."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("gpu_timing", ROOT / "solutions" / "gpu_timing" / "gpu_timing.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    open_device, kernels, triton_ms = _cuda_kernels() if device == "cuda" else _simulated_kernels()
    rows, wrong = [], []
    for name, kernel, n_calls, slack in kernels:
        told.at(name)
        one = open_device()
        warm = reference.bench(one, [kernel], cold=False, target=0.02)
        cold = reference.bench(one, [kernel], cold=True, target=0.02)
        long_ms = _long_repetition(one, kernel, n_calls)
        issue_ms, total_ms = reference.host_times(one, [kernel], n_calls)
        theirs = triton_ms(kernel)
        rows.append(
            {"kernel": name, "timer, warm (ms)": warm["median_ms"], "long repetition (ms)": long_ms, "timer, cold (ms)": cold["median_ms"],
             "do_bench (ms)": theirs, "samples": warm["n"], "launching takes (ms)": issue_ms}
        )  # fmt: skip
        told.figure("times of one call", rows)
        if slack is None:  # too short for its events: what counts is that the host is seen to be the limit
            if issue_ms < 0.5 * total_ms:
                wrong.append(
                    f"{name}: launching takes {issue_ms:.4f} ms of {total_ms:.4f} ms, and should be most of it"
                )
            continue
        if abs(warm["median_ms"] / long_ms - 1) > slack:
            wrong.append(f"{name}: the timer says {warm['median_ms']:.4g} ms and a long repetition {long_ms:.4g} ms")
        if theirs is not None and abs(cold["median_ms"] / theirs - 1) > slack:
            wrong.append(f"{name}: the timer says {cold['median_ms']:.4g} ms and do_bench {theirs:.4g} ms")
    if all(row["do_bench (ms)"] is None for row in rows):
        told.figure("do_bench", "not run: there is no Triton here")
    if wrong:
        raise Failed("; ".join(wrong))


def _long_repetition(device: object, kernel: object, n_calls: int) -> float:
    """The time of a call between two events around many, which is the device's whenever it has enough to do."""
    for _ in range(3):
        device.launch(kernel)
    device.synchronize()
    start, end = device.event(), device.event()
    device.record(start)
    for _ in range(n_calls):
        device.launch(kernel)
    device.record(end)
    device.synchronize()
    return device.elapsed_ms(start, end) / n_calls


def _cuda_kernels() -> tuple[Callable, list[tuple], Callable]:
    import torch
    from coursekit.simgpu import CudaDevice

    one = torch.zeros(1, device="cuda")
    source, target = (torch.empty(2**28, device="cuda") for _ in range(2))  # 1 GiB each: no cache holds them
    a = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
    kernels = [
        ("launch-bound: one number plus one", lambda: one.add_(1), 2000, None),
        ("memory-bound: a copy of 1 GiB", lambda: target.copy_(source), 50, 0.15),
        ("compute-bound: a product of 4096 x 4096 in bfloat16", lambda: a @ a, 200, 0.15),
    ]
    try:
        from triton.testing import do_bench
    except ImportError:
        return CudaDevice, kernels, lambda kernel: None
    return CudaDevice, kernels, lambda kernel: do_bench(kernel, return_mode="median")


def _simulated_kernels() -> tuple[Callable, list[tuple], Callable]:
    from coursekit.simgpu import Costs, Kernel, KernelCost, SimulatedDevice

    costs = {"launch-bound": 0.001, "memory-bound": 0.7, "compute-bound": 2.0}
    table = {name: KernelCost(cold_ms=cost, warm_ms=cost) for name, cost in costs.items()}
    kernels = [(name, Kernel(name), 300, None if name == "launch-bound" else 0.15) for name in costs]
    quiet = Costs(outlier_rate=0.0)  # a mean of many would be drawn up by them, and a median is not
    return lambda: SimulatedDevice(table, costs=quiet, seed=SEED).api(), kernels, lambda kernel: None


# ---- tests


def attacks(device: str, told: Told) -> None:
    """The corpus's files that need a device, and the reference after them."""
    corpus = ROOT / "tests" / "attacks" / "corpus"
    names = sorted(path.stem for path in corpus.glob("*.py") if '\nNEEDS = "cuda"' in path.read_text(encoding="utf-8"))
    expression = " or ".join(f"[{name}]" for name in names)
    rows = _pytest(["tests/attacks/test_attacks.py", "-k", " or ".join(names)], told, {"GRADKIT_DEVICE": device})
    told.figure("attacks", rows)
    if len(rows) != len(names):
        raise Failed(f"{len(rows)} attacks were run, and {len(names)} need a device: {expression}")
    _all_passed(rows)


def tests(device: str, told: Told) -> None:
    """What is marked gpu."""
    marked = [
        path
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "\n@pytest.mark.gpu\n" in path.read_text(encoding="utf-8")
    ]
    rows = _pytest([*(str(path.relative_to(ROOT)) for path in marked), "-m", "gpu"], told, {})
    told.figure("tests", rows)
    if device != "cuda" and all(row["outcome"] in ("skipped", "not run") for row in rows):
        raise NotRun("all of them need CUDA itself")
    if all(row["outcome"] == "not run" for row in rows):
        raise NotRun("; ".join(str(row["said"]) for row in rows))
    _all_passed([row for row in rows if row["outcome"] != "not run"])


def _pytest(words: Sequence[str], told: Told, environment: dict[str, str]) -> list[dict[str, object]]:
    """Run tests; a row for each."""
    with tempfile.TemporaryDirectory(prefix="gradkit-gpu-") as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
            f"--junitxml={report}",
            *words,
        ]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True)
        if not report.exists():
            raise Failed(
                f"pytest ended with status {done.returncode}: {(done.stdout + done.stderr).strip().splitlines()[-1:]}"
            )
        cases = list(ElementTree.parse(report).iter("testcase"))
    rows = []
    for case in cases:
        bad = next((part for kind in ("failure", "error", "skipped") for part in case.iter(kind)), None)
        outcome = "passed" if bad is None else "skipped" if bad.tag == "skipped" else "failed"
        missing = re.search(r"ModuleNotFoundError: (No module named '\w+)", (bad.text or "") if bad is not None else "")
        if missing and not case.get("time", "0").strip("0."):  # an oracle that the wheels leave out, such as SciPy
            rows.append({"name": case.get("name"), "outcome": "not run", "said": f"{missing[1]}'"})
            continue
        row = {"name": case.get("name"), "outcome": outcome, "seconds": round(float(case.get("time") or 0), 2)}
        row |= {each.get("name"): each.get("value") for each in case.iter("property")}
        rows.append({**row, "said": "" if bad is None else (bad.get("message") or "")[:200]})
    return rows


def _all_passed(rows: list[dict[str, object]]) -> None:
    if not rows:
        raise Failed("there is none to run")
    bad = [f"{row['name']} {row['outcome']}: {row['said']}" for row in rows if row["outcome"] != "passed"]
    if bad:
        raise Failed("; ".join(bad)[:600])


# ---- video memory


def memory(device: str, told: Told) -> None:
    """What is in use now against what was before the first part."""
    from gradkit.devices import FREE_WITHIN_S, SLACK_MIB, used_mib
    from gradkit.errors import GradkitError

    at_start = os.environ.get("GRADKIT_MEMORY_AT_START", "")
    if not at_start.isdigit():
        raise NotRun(f"nvidia-smi does not say how much memory is in use{f': {at_start[:60]}' if at_start else ''}")
    deadline = time.monotonic() + FREE_WITHIN_S
    try:
        while (now := used_mib()) - int(at_start) > SLACK_MIB and time.monotonic() < deadline:
            time.sleep(0.5)
    except GradkitError as error:
        raise NotRun(str(error)) from error
    told.figure("MiB in use at the start", int(at_start))
    told.figure("MiB in use at the end", now)
    if now - int(at_start) > SLACK_MIB:
        raise Failed(f"{now - int(at_start)} MiB more are in use than at the start")


PARTS: dict[str, Callable] = {
    "doctor": doctor,
    "sandbox": sandbox,
    "timer": timer,
    "attacks": attacks,
    "tests": tests,
    "memory": memory,
    "grade": grade,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    told = Told(options.out)
    name, _, id = options.name.partition(" ")
    try:
        PARTS[name](options.device, told, *([id] if id else []))
    except NotRun as reason:
        told.end("not run", str(reason))
    except Failed as reason:
        told.end("failed", str(reason))
    else:
        told.end("passed")


if __name__ == "__main__":
    main()
