"""An instructor's week with one assignment, by the commands that they type: `python tests/journeys/week.py OUT`.

A class of eight hands in through Gradescope. The instructor grades, finds a check too strict, mends it, regrades, looks at
whose score changed, gives points by hand, applies the course's dates, sends feedback, and takes the numbers into the gradebook.
Prints each command with its last lines, and what every student has in the end.
"""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from gradkit.manifest import load_assignment
from gradkit.mistakes import find_mistake, read_mistakes
from gradkit.scaffold import new_assignment

STRICT = 'agree("centre", rng.normal(size=(n, 3)) + 5.0)'
MENDED = 'agree("centre", rng.normal(size=(n, 3)) + 5.0, tol=(1e-3, 1e-3))'
COURSE = """
timezone = "UTC"
[late]
share_per_day = 0.1
grace_minutes = 30
[[assignments]]
id = "scaling"
due = 2026-10-12T12:00:00
points = 50
[[extensions]]
student = "student03@example.edu"
assignment = "scaling"
days = 2
"""
ROSTER = """First Name,Last Name,SID,Email,Role
=HYPERLINK(1),One,s1,student01@example.edu,Student
Student,"Two, Jr",s2,student02@example.edu,Student
Student,Three,s3,student03@example.edu,Student
Student,Four,s4,student04@example.edu,Student
Student,Same,s5,student05@example.edu,Student
Student,Same,s6,student06@example.edu,Student
Student,Seven,,student07@example.edu,Student
Student,Eight,s8,student08@example.edu,Student
Student,Nine,s9,student09@example.edu,Student
A,Reader,,reader@example.edu,TA
"""
OVERRIDES = """submission,check,points,reason,who
submission_7,,60,"graded on paper: the file was a photo",staff01
submission_4,task:standardise,45,"explained it in person",staff01
"""


class Week:
    """A kit, a class and the commands.

    Args:
        folder: New; everything happens in it.
        say: Takes what is shown.
    """

    def __init__(self, folder: Path, say=print) -> None:
        self.folder, self._say = folder, say
        self.kit = folder / "kit"
        (self.kit / "assignments").mkdir(parents=True)
        (self.kit / "solutions").mkdir(mode=0o700)
        new_assignment(self.kit, "scaling")
        self.assignment = load_assignment(self.kit, "scaling")
        (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
        (folder / "course.toml").write_text(COURSE, encoding="utf-8")
        (folder / "overrides.csv").write_text(OVERRIDES, encoding="utf-8")
        self._hand_in()

    def run(self, *arguments: object, status: int = 0) -> str:
        """One command; what it printed.

        Raises:
            AssertionError: When it ends with another status.
        """
        command = [sys.executable, "-m", "gradkit", *map(str, arguments), "--root", str(self.kit)]
        environment = {**os.environ, "COLUMNS": "120", "PYTHONUTF8": "1"}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)
        shown = done.stdout.rstrip().splitlines()[-6:]
        self._say("\n".join([f"\n$ gradkit {' '.join(map(str, arguments))}", *shown]))
        assert done.returncode == status, f"{arguments}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def mend_the_check(self) -> None:
        path = self.assignment.hidden_tests
        text = path.read_text(encoding="utf-8")
        assert STRICT in text
        path.write_text(text.replace(STRICT, MENDED), encoding="utf-8")

    def table(self, run: str, name: str = "grades.csv") -> dict[str, dict[str, str]]:
        """Rows by submission."""
        with open(self.folder / run / name, encoding="utf-8", newline="") as file:
            return {row["submission"]: row for row in csv.DictReader(file)}

    def _hand_in(self) -> None:
        """Gradescope's export: who, when and what."""
        reference = self.assignment.reference.read_text(encoding="utf-8")
        wrong = find_mistake(read_mistakes(self.assignment), "centre_over_examples", self.assignment.hidden)
        own = reference + "\n\ndef _check_mine(values):\n" + "".join(
            f"    total_{n} = sum(value * {n} for value in values if value > {n})\n" for n in range(1, 14)
        ) + "    return [total_1, total_5, total_9, total_13]\n"  # fmt: skip
        texts = {
            1: (reference, "12 11:00"),
            2: (
                reference.replace("x - x.mean(axis=0)\n", "x - x.mean(axis=0) * 1.00001\n"),
                "12 12:20",
            ),  # within the grace
            3: (reference, "13 20:00"),  # late, with an extension
            4: (wrong.submission(reference), "14 08:00"),  # two days late
            5: (own, "12 10:00"),
            6: (own.replace("total_", "sum_").replace("value", "entry"), "12 10:05"),  # the same, renamed
            7: (b"\x89PNG\r\n\x1a\n" + bytes(100), "12 09:00"),
            8: ("def centre(:\n", "12 08:00"),
        }
        export, lines = self.folder / "export", ["---"]
        for number, (text, when) in texts.items():
            name = f"submission_{number}"
            (export / name).mkdir(parents=True)
            (export / name / "scaling.py").write_bytes(text if isinstance(text, bytes) else text.encode())
            lines += [
                f"{name}:", "  :submitters:", f"  - :name: Student {number}",
                f"    :email: student{number:02}@example.edu", f"    :sid: s{number}",
                f"  :created_at: 2026-10-{when}:00.000000000 Z",
            ]  # fmt: skip
        (export / "submission_metadata.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def live(week: Week) -> dict[str, str]:
    """The week's commands, in order; what each printed, by a word."""
    said = {}
    at = ("--course", "course.toml")
    said["check"] = week.run("course", "check", *at, "--roster", "roster.csv")
    said["grade"] = week.run(
        "grade", "scaling", "export", "--roster", "roster.csv", *at, "--out", "grades", "--seed", 7, status=1
    )
    week.mend_the_check()
    said["regrade"] = week.run(
        "regrade", "grades", "--out", "regraded", *at, "--reason", "1.1 was too strict", status=1
    )
    said["diff"] = week.run("diff", "grades", "regraded", "--out", "diff.csv", "--page", "diff.html")
    said["override"] = week.run(
        "grade", "scaling", "export", *at, "--out", "regraded", "--resume", "--overrides", "overrides.csv"
    )  # fmt: skip
    said["report"] = week.run("report", "regraded", "--compare", "export")
    said["feedback"] = week.run("feedback", "regraded", "--out", "feedback")
    said["totals"] = week.run("course", "totals", "regraded", *at, "--out", "totals.csv")
    return said


@contextlib.contextmanager
def new_week(folder: Path, say=print) -> Iterator[Week]:
    """A week in a new folder, open to workers."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    yield Week(folder, say)


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) == 2 else sys.exit(__doc__)
    if out.exists():
        shutil.rmtree(out)
    with new_week(out) as week:
        live(week)
        print("\nsubmission     score  late  final of 50  what")
        for name, row in week.table("regraded").items():
            what = row["overrides"] or row["mistakes"] or row["reason"]
            print(
                f"{name or row['submitters']:<22} {row['score']:>6} {row['days_late']:>4} {row['final']:>6}  {what[:70]}"
            )


if __name__ == "__main__":
    main()
