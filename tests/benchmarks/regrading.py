"""What a regrade costs against grading the class anew, when one check of a task was changed.

    python tests/benchmarks/regrading.py [--assignment ID] [--students N]

The class of `sample_class.py` (or N students of `classroom.py`) is graded once. Then, for the first hidden check of each task in
turn, a line is added that changes its digest and no outcome, and the class is regraded. The grades must be those that stood
before. Processor time is that of the whole command with all its processes, start-up included; hints and lines are on.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from classroom import make_class
from graders import ROOT, say

from gradkit import results
from gradkit.examine.checks import written_checks
from gradkit.manifest import Assignment, load_assignment
from gradkit.splice import FULL
from gradkit.stubs import parse_python, read_authored

sys.path.insert(0, str(ROOT / "tests"))
from sample_class import students as sample_students  # noqa: E402

SEED = 1


def gradkit(*arguments: object) -> float:
    """Run the command line; its processor seconds, and those of all that it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "gradkit", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"gradkit {arguments[0]}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def hand_in(assignment: Assignment, count: int, folder: Path) -> int:
    """Lay out the class, a folder each; how many they are."""
    if count:
        module = assignment.manifest.module
        files = [{module: student.source} for student in make_class(assignment, count, SEED)]
    else:
        files = [handed_in for _, handed_in in sample_students(assignment)]
    for number, handed_in in enumerate(files, start=1):
        for name, data in handed_in.items():
            path = folder / f"student{number:03}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return len(files)


def first_checks(assignment: Assignment) -> dict[str, str]:
    """The first hidden check of each task."""
    found: dict[str, str] = {}
    text = read_authored(assignment.hidden_tests)
    for check in written_checks(assignment.hidden_tests, parse_python(text, assignment.hidden_tests)):
        found.setdefault(str(check.task), check.name)
    return found


def changed(text: str, check: str) -> str:
    """The file of checks with a line more at the end of one, which does nothing."""
    lines = text.split("\n")
    (begin,) = [number for number, line in enumerate(lines) if line.startswith(f"def {check}(")]
    ends = (n for n in range(begin + 1, len(lines)) if lines[n] and not lines[n].startswith((" ", ")")))
    end = next(ends, len(lines))
    while not lines[end - 1].strip():
        end -= 1
    return "\n".join([*lines[:end], "    assert True", *lines[end:]])


def scores(out: Path) -> dict[str, tuple[float, list[tuple[str, ...]]]]:
    """By submission: its score and its hints."""
    found = {}
    for path in out.glob("*/graded.json"):
        graded = results.read(path.parent)
        hints = [(case.case, case.hint, case.mistake) for result in graded.results for case in result.cases]
        found[graded.submission] = graded.score, hints
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assignment", default="attention")
    parser.add_argument("--students", type=int, default=0, help="of classroom.py's class; 0: the sample class")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="regrading-") as place:
        work = Path(place)
        kit, id = work / "kit", options.assignment
        for folder in ("assignments", "solutions"):
            shutil.copytree(ROOT / folder / id, kit / folder / id)
        (kit / "solutions").chmod(0o700)
        assignment = load_assignment(kit, id)
        count = hand_in(assignment, options.students, work / "in")
        where = ("--root", kit)
        full = gradkit("grade", id, work / "in", "--out", work / "old", "--seed", SEED, *where)
        say(f"{id}: {count} submissions graded in {full:.1f} s of CPU")
        before, text, ratios = scores(work / "old"), read_authored(assignment.hidden_tests), []
        print("| task | changed check | CPU s | of a full grade | graded anew in full |")
        print("| --- | --- | ---: | ---: | ---: |")
        for task, check in first_checks(assignment).items():
            assignment.hidden_tests.write_text(changed(text, check), encoding="utf-8")
            out = work / f"new-{task}"
            cpu = gradkit("regrade", work / "old", "--out", out, "--reason", "to see", *where)
            if scores(out) != before:
                sys.exit(f"{check}: other grades or hints than before")
            whole = sum(results.read(path.parent).regraded.startswith(FULL) for path in out.glob("*/graded.json"))
            ratios.append(cpu / full)
            print(f"| {task} | {check} | {cpu:.1f} | {cpu / full:.2f} | {whole} of {count} |", flush=True)
        print(
            f"\n{id}, {count} submissions, {full:.1f} s of CPU: a regrade takes {statistics.median(ratios):.2f} of it (median)"
        )


if __name__ == "__main__":
    main()
