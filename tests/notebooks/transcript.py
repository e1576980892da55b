"""A class of ten on two assignments through nbgrader's own commands, from release to exported grades.

    python tests/notebooks/transcript.py OUT [ID...]

Makes the folder OUT with a course, an exchange and what each command said, and prints the transcript: release, a
student's fetch and submit, collecting from the exchange and from a folder of zips, autograding, a person's points for
the written answers, feedback and export. Then it grades the same students' modules with `gradkit grade` and prints both
scores side by side. Ends with 1 if they differ.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from handed_in import filled

sys.path.insert(0, str(Path(__file__).parent.parent))

from nbgrader.api import Gradebook  # noqa: E402
from sample_class import ROOT, students  # noqa: E402

from gradkit.manifest import Assignment, load_assignment  # noqa: E402

CLASS = 10
BY_EXCHANGE = 2  # students of the first assignment who fetch and submit; the others' files come as downloads
SEED = 20260115
WHO = (  # of the sample class, which kinds of student this class has
    "another style", "half done", "all but the last", "mistake", "mistake", "mistake", "mistake", "mistakes",
    "untouched stub", "an endless loop",
)  # fmt: skip


def members(assignment: Assignment) -> Iterator[tuple[str, str, str]]:
    """Name, kind, and module of each student."""
    kinds = [(kind, files) for kind, files in students(assignment) if assignment.manifest.module in files]
    for number, wanted in enumerate(WHO[:CLASS], start=1):
        place = next(i for i, (kind, _) in enumerate(kinds) if kind.split(" ")[0] == wanted or kind == wanted)
        kind, files = kinds.pop(place)
        yield f"student{number:02d}", kind, files[assignment.manifest.module].decode()


class Transcript:
    """Runs commands in a folder and prints each with the last lines of what it said."""

    def __init__(self, course: Path) -> None:
        self.course = course
        self.environment = {
            **os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }  # fmt: skip

    def __call__(self, command: str, *, cwd: Path | None = None, last: int = 2, expected: int = 0) -> str:
        begun = time.monotonic()
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=cwd or self.course,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        said = (done.stdout + done.stderr).strip()
        lines = [line[:160] for line in said.splitlines() if "Copying" not in line]
        print(f"$ {command}    # {time.monotonic() - begun:.1f} s, exit code {done.returncode}", flush=True)
        print("".join(f"  {line}\n" for line in lines[-last:] if last), flush=True)
        if done.returncode != expected:
            sys.exit(f"ended with {done.returncode}, not {expected}:\n{said}")
        return said


def main() -> None:
    out = Path(sys.argv[1]).resolve()
    ids = sys.argv[2:] or ["attention", "bpe"]
    course = out / "course"
    out.mkdir(parents=True)
    (out / "exchange").mkdir()
    (out / "exchange").chmod(0o777)  # nbgrader asks for it
    run = Transcript(course)
    run(f"gradkit bundle nbgrader {' '.join(ids)} --out {course}", cwd=ROOT)
    config = course / "nbgrader_config.py"
    text = re.sub(r"JudgeGrades\.seed = \d+", f"JudgeGrades.seed = {SEED}", config.read_text(encoding="utf-8"))
    config.write_text(
        f'{text}\nc.Exchange.root = "{out / "exchange"}"\nc.ExchangeCollect.check_owner = False\n',
        encoding="utf-8",
    )
    classes = {id: list(members(load_assignment(ROOT, id))) for id in ids}
    for number, id in enumerate(ids):
        run(f"nbgrader generate_assignment {id}", last=1)
        some = BY_EXCHANGE if number == 0 else 0
        if some:
            _by_exchange(run, out, id, classes[id][:some])
        _by_zips(run, id, classes[id][some:])
        run(f"nbgrader autograde {id}", last=1)
        _grade_by_hand(course, id)
        run(f"nbgrader generate_feedback {id}", last=1)
    run("nbgrader export", last=1)
    print("$ cut -d, -f1,4,10- grades.csv")
    with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    print(
        "\n".join(",".join([row["assignment"], row["student_id"], *list(row.values())[9:]]) for row in rows),
        "\n",
    )
    sys.exit(_parity(run, out, rows, classes))


def notebook(assignment: Assignment, source: str) -> bytes:
    """The student's notebook: their functions, and an answer unless nothing is written."""
    made = filled(assignment, source)
    if source.count("is not written yet") < len(assignment.manifest.tasks):
        for cell in made.cells:
            if cell.get("id", "").startswith("question-") and not cell.id.endswith("-text"):
                cell.source = "In training the answer is there to be read; when the model writes, it is not."
    return nbformat.writes(made).encode()


def _by_exchange(run: Transcript, out: Path, id: str, members: list) -> None:
    assignment = load_assignment(ROOT, id)
    run(f"nbgrader release_assignment {id}", last=1)
    run("nbgrader list", last=2)
    options = f"--course course --Exchange.root={out / 'exchange'}"
    for student, _, source in members:
        home = out / "students" / student
        home.mkdir(parents=True)
        last = 1 if student == "student01" else 0
        run(f"nbgrader fetch_assignment {id} {options}", cwd=home, last=last)
        (home / id / f"{id}.ipynb").write_bytes(notebook(assignment, source))
        run(f"nbgrader submit {id} {options} --student {student}", cwd=home, last=last)
    run(f"nbgrader collect {id}", last=1)


def _by_zips(run: Transcript, id: str, members: list) -> None:
    assignment = load_assignment(ROOT, id)
    archive = run.course / "downloaded" / id / "archive"
    archive.mkdir(parents=True)
    for student, _, source in members:
        (archive / f"{student}_2026-01-15_{id}.ipynb").write_bytes(notebook(assignment, source))
    print(f"# {len(members)} files such as student09_2026-01-15_{id}.ipynb lie in downloaded/{id}/archive/")
    run(f"nbgrader zip_collect {id}", last=1)


def _grade_by_hand(course: Path, id: str) -> None:
    """What a person does in the formgrader: 4 points for each answer that waits for them."""
    count = 0
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for submission in gradebook.assignment_submissions(id):
            for grade in (grade for book in submission.notebooks for grade in book.grades if grade.needs_manual_grade):
                grade.manual_score, grade.needs_manual_grade = 4, False
                count += 1
        gradebook.db.commit()
    print(f"# {count} written answers of {id} get 4 of 5 points by hand, as in the formgrader\n", flush=True)


def _parity(run: Transcript, out: Path, rows: list[dict[str, str]], classes: dict[str, list]) -> int:
    """Print both scores of every student; 1 if any differ."""
    gradebook = {(row["assignment"], row["student_id"]): row for row in rows}
    lines, differ = [], 0
    for id, class_ in classes.items():
        for student, _, source in class_:
            folder = out / "modules" / id / student
            folder.mkdir(parents=True)
            (folder / f"{id}.py").write_text(source, encoding="utf-8")
        run(
            f"gradkit grade {id} {out / 'modules' / id} --out {out / 'grades' / id} --seed {SEED}",
            cwd=ROOT,
            last=1,
        )
        with (out / "grades" / id / "grades.csv").open(encoding="utf-8", newline="") as file:
            graded = {row["submission"]: float(row["score"]) for row in csv.DictReader(file)}
        for student, kind, _ in class_:
            there = float(gradebook[id, student]["code_score"])
            differ += abs(there - graded[student]) > 1e-4
            lines.append(f"{id:<10} {student}  {graded[student]:>9g} {there:>9g}  {kind}")
    print(f"{'':<21}  {'module':>9} {'nbgrader':>9}\n" + "\n".join(lines))
    print("the scores agree" if not differ else f"{differ} SCORES DIFFER")
    return int(differ > 0)


if __name__ == "__main__":
    if shutil.which("sh") is None:
        sys.exit("needs a POSIX shell")
    main()
