"""What one more graded submission costs, against the checks' own work and against a cold run in one process.

    python tests/benchmarks/grading.py [ID...]

For each assignment, all measured in one run on the reference as the submission:

- own: processor time of the same checks on the same submission in one warm process, nothing sandboxed: what they cost
  in themselves, the reference's share included.
- graded: one more submission of a class in a judge that is warm, sandbox on: wall time, and processor time of judge and
  workers. The judge computes no answer of the reference's twice, so that this can be less than the checks' own cost.
- cold: the checks in a new Python process of their own, as a grader does that starts one per submission.

The figures are medians. Wall time varies with what else the machine does; the ratios less.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gradkit.grading import Grade, JudgeClient, scratch_folder
from gradkit.judge.engine import Judge
from gradkit.judge.run import run_pytest
from gradkit.judge.staff import Staff
from gradkit.manifest import Assignment, assignment_ids, load_assignment
from gradkit.model import Graded, Outcome

ROOT = Path(__file__).resolve().parent.parent.parent
ROUNDS = 7
SEED = 0  # a class is graded on one


def cpu_s(who: int = resource.RUSAGE_SELF) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def own(assignment: Assignment, rounds: int) -> list[float]:
    """Processor seconds of all checks in this process, a figure per round."""
    staff = Staff(assignment)
    spent: list[float] = []

    def loop(judge: Judge) -> None:
        for seed in range(rounds):
            begun = cpu_s()
            for check, items in judge.checks.items():
                for item in items:
                    staff.reference.reset()
                    result = judge.grade_case(check, item, staff.reference, seed)
                    assert result.outcome in (Outcome.PASSED, Outcome.NOT_RUN), result
            spent.append(cpu_s() - begun)

    run_pytest(assignment, Judge(assignment, staff, device="cpu", start=loop))
    return spent


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
    code = (
        "import sys; sys.path.insert(0, sys.argv[3]); from pathlib import Path; import grading; from gradkit.manifest import load_assignment;"
        "grading.own(load_assignment(Path(sys.argv[1]), sys.argv[2]), 1)"
    )
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code, str(ROOT), assignment.id, str(Path(__file__).parent)],
        check=True,
        cwd=tempfile.gettempdir(),
    )
    return time.perf_counter() - begun


def main() -> None:
    ids = sys.argv[1:] or assignment_ids(ROOT)
    print(
        f"{'assignment':<12} {'checks':>6} {'cases':>6} {'own cpu':>8} {'graded':>8} {'extra':>8} {'judge cpu':>10} {'worker cpu':>11} {'cold':>7} {'cold/graded':>12}"
    )
    for id in ids:
        assignment = load_assignment(ROOT, id)
        own_s = statistics.median(own(assignment, ROUNDS)[1:])
        wall, judge_cpu, worker_cpu = (statistics.median(figures) for figures in graded(assignment, ROUNDS))
        cold_s = statistics.median(cold(assignment) for _ in range(3))
        with scratch_folder() as scratch, JudgeClient(ROOT, id, scratch) as judge:
            checks, cases = len(judge.checks), sum(len(check.cases) for check in judge.checks)
        print(
            f"{id:<12} {checks:>6} {cases:>6} {own_s:>7.2f}s {wall:>7.2f}s {wall - own_s:>+7.2f}s {judge_cpu:>9.2f}s {worker_cpu:>10.2f}s "
            f"{cold_s:>6.2f}s {cold_s / wall:>11.1f}x"
        )


if __name__ == "__main__":
    main()
