"""What one more graded submission costs, against the checks' own work and against a cold run in one process.

    python tests/benchmarks/grading.py [ID...]

For each assignment, all measured in one run on the reference as the submission:

- own cpu: processor time of the same checks on the same submission in one warm process, called as plain functions by
  `same_checks.py`, nothing sandboxed and nothing in between: what they cost in themselves, the reference's share included.
- graded: one more submission of a class in a judge that is warm, sandbox on: wall time, and processor time of judge and
  workers. The judge computes no answer of the reference's twice, so that this can be less than the checks' own cost.
- ratio: processor time of judge and workers together, times the checks' own. Its median over the assignments stands below.
- cold: the checks in a new Python process of their own, as a grader does that starts one per submission.

The figures are medians. Wall time varies with what else the machine does; the ratios less.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gradkit.grading import Grade
from gradkit.judges import JudgeClient, scratch_folder
from gradkit.manifest import Assignment, assignment_ids, load_assignment
from gradkit.model import Graded

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ROUNDS = 7
SEED = 0  # a class is graded on one


def plainly(assignment: Assignment, rounds: int) -> list[float]:
    """Processor seconds of all checks in a new process that does nothing else, a figure per round after the first."""
    command = [sys.executable, HERE / "same_checks.py", assignment.reference, "--rounds", str(rounds)]
    paths = os.pathsep.join([str(ROOT / "shared"), str(HERE)])
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "PYTHONPATH": paths, "SAME_CHECKS": f"{assignment.id}/all"}
    folder = tempfile.gettempdir()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{assignment.id}: same_checks.py ended with {done.returncode}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    if found["failed"]:
        sys.exit(f"{assignment.id}: the reference fails {', '.join(found['failed'])} in same_checks.py")
    return found["cpu_s"]


def graded(assignment: Assignment, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Wall seconds, judge's and workers' processor seconds of one more submission, a figure per round."""
    wall, judge_cpu, worker_cpu = [], [], []
    with scratch_folder() as scratch, JudgeClient(ROOT, assignment.id, scratch) as judge:
        for number in range(rounds + 1):
            folder = scratch / f"s{number}"
            folder.mkdir(mode=0o755)
            module = folder / assignment.manifest.module
            module.write_bytes(assignment.reference.read_bytes())
            collected = Grade(Graded(f"s{number}", assignment.id, "graded"), judge.checks)
            begun, before = time.perf_counter(), process_cpu_s(judge.pid)
            result = collected.finish(judge.grade(module, SEED, collected.add))
            assert result.score == result.max_score
            wall.append(time.perf_counter() - begun)
            judge_cpu.append(process_cpu_s(judge.pid) - before)
            worker_cpu.append(result.worker_cpu_s)
    return wall[1:], judge_cpu[1:], worker_cpu[1:]  # the first one warms


def process_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cold(assignment: Assignment) -> float:
    """Wall seconds of a new process that runs the same checks once."""
    begun = time.perf_counter()
    plainly(assignment, 0)
    return time.perf_counter() - begun


def main() -> None:
    ids = sys.argv[1:] or assignment_ids(ROOT)
    names = ["checks", "cases", "own cpu", "graded", "judge cpu", "worker cpu", "ratio", "cold", "cold/graded"]
    widths = [6, 6, 8, 8, 10, 11, 6, 7, 12]
    print("assignment   " + " ".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True)))
    ratios = []
    for id in ids:
        assignment = load_assignment(ROOT, id)
        own_s = statistics.median(plainly(assignment, ROUNDS))
        wall, judge_cpu, worker_cpu = (statistics.median(figures) for figures in graded(assignment, ROUNDS))
        cold_s = statistics.median(cold(assignment) for _ in range(3))
        ratios.append((judge_cpu + worker_cpu) / own_s)
        with scratch_folder() as scratch, JudgeClient(ROOT, id, scratch) as judge:
            checks, cases = len(judge.checks), sum(len(check.cases) for check in judge.checks)
        print(
            f"{id:<12} {checks:>6} {cases:>6} {own_s:>7.3f}s {wall:>7.2f}s {judge_cpu:>9.2f}s {worker_cpu:>10.2f}s "
            f"{ratios[-1]:>5.1f}x {cold_s:>6.2f}s {cold_s / wall:>11.1f}x",
            flush=True,
        )
    print(f"median ratio of {len(ids)}: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
