"""A thousand submissions in one batch: rate, memory of the grading process as it goes, and going on after a kill.

    python tests/benchmarks/large_batch.py [ID] [--count 1000] [--jobs 2]

The class is a Gradescope export made of the reference, half-written stubs and known mistakes of an assignment; by
default of the small one that `gradkit new` writes, so that the batch is measured rather than the checks. The batch is
killed (SIGKILL) when a third is graded, gone on with by --resume to the end, and then resumed with nothing to do. Printed:

- the rate, and against it one warm judge on the same mix: what the batch adds, and what a second job gives;
- the memory of the grading process, and of the largest judge, when 100, 500 and 1000 submissions are behind them;
- what the kill cost: grades lost, and grades given twice, both of which must be 0.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from gradkit.grading import Grade
from gradkit.judges import JudgeClient, scratch_folder
from gradkit.manifest import Assignment, load_assignment
from gradkit.mistakes import read_mistakes
from gradkit.model import Graded
from gradkit.scaffold import new_assignment
from gradkit.stubs import cut_stub

ROOT = Path(__file__).resolve().parent.parent.parent
MARKS = (100, 500, 1000)
SAMPLE = 30  # submissions of the mix that one warm judge is timed on


def small_kit(root: Path) -> Path:
    (root / "assignments").mkdir(parents=True)
    (root / "solutions").mkdir(mode=0o700)
    new_assignment(root, "scaling")
    return root


def mix(assignment: Assignment) -> list[str]:
    """What the class is made of: for each right one, one with a mistake, and now and then a half-written one."""
    reference = assignment.reference.read_text(encoding="utf-8")
    tasks = [task.id for task in assignment.manifest.tasks]
    mistakes = [mistake.submission(reference) for mistake in read_mistakes(assignment)]
    texts = []
    for number, mistake in enumerate(mistakes):
        texts += [reference, mistake]
        if number % 3 == 0:
            written = tasks[: number % len(tasks)]
            texts.append(cut_stub(reference, path=assignment.reference, tasks=tasks, written=written))
    return texts


def export(assignment: Assignment, path: Path, count: int) -> None:
    metadata = ["---"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, text in zip(range(1, count + 1), itertools.cycle(mix(assignment)), strict=False):
            id, student = f"submission_{number:05d}", f"student{number:04d}"
            archive.writestr(f"class/{id}/{assignment.manifest.module}", f"{text}\n# {number}\n")
            metadata += [
                f"{id}:",
                "  :submitters:",
                f"  - :name: {student}",
                f"    :email: {student}@example.edu",
            ]
        archive.writestr("class/submission_metadata.yml", "\n".join([*metadata, ""]))


def warm_rate(root: Path, assignment: Assignment) -> float:
    """Submissions per second of one warm judge, without a batch around it."""
    texts = mix(assignment)[:SAMPLE]
    with scratch_folder() as scratch, JudgeClient(root, assignment.id, scratch) as judge:
        modules = []
        for number, text in enumerate(texts):
            folder = scratch / f"s{number}"
            folder.mkdir(mode=0o755)
            modules.append(folder / assignment.manifest.module)
            modules[-1].write_text(text, encoding="utf-8")
        begun = time.perf_counter()
        for module in modules:
            collected = Grade(Graded("x", assignment.id, "graded"), judge.checks)
            collected.finish(judge.grade(module, 1, collected.add))
        return len(texts) / (time.perf_counter() - begun)


def memory_mib(pid: int) -> tuple[float, float]:
    """What a process has in memory now, and had at most."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in text.splitlines() if line.startswith("Vm"))
    return tuple(int(fields.get(name, "0").split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))  # a zombie has none


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def run(command: list[str], stop_at: int | None = None) -> float:
    """Run a batch, telling of its memory as submissions are done; in how many seconds."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            done = int(line[1:].partition("/")[0]) if line.startswith("[") else 0
            if done in MARKS:
                now, highest = memory_mib(process.pid)
                judge = max((memory_mib(pid)[0] for pid in children(process.pid)), default=0)
                of_judge = f"; judge {judge:.0f}" if judge else ""  # it may have ended with the last
                print(
                    f"  {done:>5} behind: grading process {now:.0f} MiB, at most {highest:.0f}{of_judge}",
                    flush=True,
                )
            if done and done == stop_at:
                process.kill()
    return time.perf_counter() - begun


def records(out: Path) -> dict[str, int]:
    """Finished grades by the inode of their record: one that is written again has another."""
    return {
        path.parent.name: path.stat().st_ino
        for path in out.glob("*/graded.json")
        if b'"complete":true' in path.read_bytes()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("id", nargs="?")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    count = options.count
    with tempfile.TemporaryDirectory(prefix="large-") as place:
        os.chmod(place, 0o755)
        root = ROOT if options.id else small_kit(Path(place) / "kit")
        assignment = load_assignment(root, options.id or "scaling")
        alone = warm_rate(root, assignment)
        source, out = Path(place) / "export.zip", Path(place) / "out"
        export(assignment, source, count)
        command = [sys.executable, "-m", "gradkit", "grade", assignment.id, str(source), "--out", str(out)]
        command += ["--seed", "1", "--root", str(root), "--jobs", str(options.jobs), "--device", "cpu"]
        print(f"{assignment.id}, {count} submissions, --jobs {options.jobs}", flush=True)
        first_s = run(command, stop_at=count // 3)
        kept = records(out)
        print(f"killed with {len(kept)} graded; --resume", flush=True)
        second_s = run([*command, "--resume"])
        now = records(out)
        again = sum(now.get(name) != inode for name, inode in kept.items())
        print("--resume again", flush=True)
        nothing_s = run([*command, "--resume"])
        rows = list(csv.DictReader(io.StringIO((out / "grades.csv").read_text(encoding="utf-8"))))
        graded = sum(row["status"] == "graded" for row in rows)
    rate = count / (first_s + second_s)
    print(f"{graded} of {count} graded, {count - len(rows)} lost, {again} given twice")
    print(
        f"{rate:.2f} submissions a second, start and kill included; one warm judge alone does {alone:.2f}: {rate / alone:.2f} times"
    )
    print(f"resuming with nothing to do: {nothing_s:.1f} s, {1000 * nothing_s / count:.1f} ms a submission")
    if graded != count or again or len(rows) != count:
        sys.exit("something was lost or given twice")


if __name__ == "__main__":
    main()
