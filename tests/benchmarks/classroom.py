"""What it costs to grade a class as classes are: some right, most with one mistake, one that never ends, one that is no program.

    python tests/benchmarks/classroom.py --assignment attention [--seed 1] [--students 40] [--without-others]

The class is made by the seed. Of forty, ten are right (the reference and its alternatives, in turn), four untouched or half
written, twenty have one known mistake, chosen over all tasks, three have two, one crashes, one loops without end and one is
no Python; other sizes keep the proportions. The crash and the loop are in the function that is asked for last, on which few
checks depend: the cheapest place.

The same class is graded, one grader after the other in one run, by

- gradkit with one job and with two: `gradkit grade`, hints on, at the isolation that this machine gives;
- nbgrader: `nbgrader autograde`, one call for the whole class;
- gradescope-utils: JSONTestRunner in a new process for each submission, as Gradescope starts one.

The last two do the same checks with the same inputs (see `graders.py`) and have no isolation and no hints. They have no time
limit for a check, so `same_checks.py` gives each check the kit's: 10 s. --python names the environment they are in; without it
they are looked for where this runs. One that is missing is told as not run.

Costs are the whole command's, start-up included, divided by the number of students. Processor time is that of all processes
that a command started. Beside them stand where gradkit's went, and how many submissions lost points at the same checks in all
graders: where they did not all do the same work, the ratio means little. The table goes to stdout as Markdown, progress to
stderr. Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import graders
from graders import (
    PR_SET_CHILD_SUBREAPER,
    ROOT,
    Cost,
    GradescopeUtils,
    Gradkit,
    Gradkit2,
    Nbgrader,
    Void,
    available,
    say,
    times,
)
from same_checks import Selection

from gradkit import results
from gradkit.manifest import Assignment, load_assignment
from gradkit.mistakes import MistakeSource, read_mistakes
from gradkit.stubs import cut_stub, read_authored

sys.path.insert(0, str(ROOT / "tests"))
from sample_class import CRASH, LOOP  # noqa: E402

LIMIT_S = 10.0  # for a check, in the graders that have none
SAMPLE_S = 0.1  # between two looks at the processes of a run

# Of forty students; other sizes are scaled.
PROPORTIONS = {
    "right": 10,
    "half written": 4,
    "one mistake": 20,
    "two mistakes": 3,
    "a crash": 1,
    "an endless loop": 1,
    "no Python": 1,
}


@dataclass(frozen=True)
class Student:
    """What one student handed in: the kind, a word for it, and the file."""

    kind: str
    what: str
    source: bytes


def written_with(assignment: Assignment, mistakes: Sequence[MistakeSource]) -> str:
    """The text of a submission that is right but for these mistakes."""
    text = read_authored(assignment.reference)
    for mistake in mistakes:
        text = mistake.submission(text)
    return text


# ---- the class -----------------------------------------------------------------------------------------------------


def scaled(students: int) -> dict[str, int]:
    """How many students of each kind, in the proportions of forty; the largest remainders get what is left."""
    total = sum(PROPORTIONS.values())
    shares = {kind: students * count / total for kind, count in PROPORTIONS.items()}
    counts = {kind: int(share) for kind, share in shares.items()}
    most_left = sorted(shares, key=lambda kind: counts[kind] - shares[kind])
    for kind in most_left[: students - sum(counts.values())]:
        counts[kind] += 1
    return counts


def make_class(assignment: Assignment, students: int, seed: int) -> list[Student]:
    """The class, in an order that the seed decides."""
    rng = random.Random(seed)
    reference = read_authored(assignment.reference)
    last = assignment.manifest.tasks[-1].functions[-1].partition(".")[0]
    one_each, pairs = spread(read_mistakes(assignment), rng)
    sources = {
        "right": right(assignment),
        "half written": half_written(assignment, rng),
        "one mistake": ((one.name, written_with(assignment, [one])) for one in one_each),
        "two mistakes": ((" and ".join(m.name for m in pair), written_with(assignment, pair)) for pair in pairs),
        "a crash": itertools.repeat((last, reference + CRASH.format(name=last))),
        "an endless loop": itertools.repeat((last, reference + LOOP.format(name=last))),
        "no Python": itertools.repeat(("bytes", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))),
    }
    found = []
    for kind, count in scaled(students).items():
        for what, source in itertools.islice(sources[kind], count):
            found.append(Student(kind, what, source.encode() if isinstance(source, str) else source))
    rng.shuffle(found)
    return found


def right(assignment: Assignment) -> Iterator[tuple[str, str]]:
    paths = [assignment.reference, *assignment.alternatives()]
    return ((path.stem, read_authored(path)) for path in itertools.cycle(paths))


def half_written(assignment: Assignment, rng: random.Random) -> Iterator[tuple[str, str]]:
    """In turn: untouched, and written up to a task near the middle."""
    reference, tasks = read_authored(assignment.reference), [task.id for task in assignment.manifest.tasks]
    for number in itertools.count():
        count = 0 if number % 2 == 0 else rng.randint(len(tasks) // 3, 2 * len(tasks) // 3)
        text = cut_stub(reference, path=assignment.reference, tasks=tasks, written=tasks[:count])
        yield f"{count} of {len(tasks)} tasks", text


def spread(
    mistakes: list[MistakeSource], rng: random.Random
) -> tuple[Iterator[MistakeSource], Iterator[list[MistakeSource]]]:
    """Mistakes one at a time, over all tasks in turn; and pairs of them in different tasks and functions."""
    shuffled = rng.sample(mistakes, len(mistakes))
    tasks = list(dict.fromkeys(mistake.task for mistake in shuffled))
    by_task = [[mistake for mistake in shuffled if mistake.task == task] for task in tasks]
    in_turn = [one for row in itertools.zip_longest(*by_task) for one in row if one is not None]

    def pairs() -> Iterator[list[MistakeSource]]:
        while True:
            first, second = rng.sample(mistakes, 2)
            if first.task != second.task and not set(first.replaces) & set(second.replaces):
                yield [first, second]

    return itertools.cycle(in_turn), pairs()


# ---- where gradkit's processor time goes ---------------------------------------------------------------------------


class Roles(threading.Thread):
    """Looks at the processes of a run of gradkit, and keeps what each has used so far, by what it is.

    A process that ends between two looks is missed for what it used after the last; the workers, which end by the
    hundred, account for themselves in the grades.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._ended = threading.Event()
        self._used: dict[int, tuple[str, float]] = {}

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self._look()

    def end(self) -> dict[str, float]:
        """CPU seconds by role."""
        self._ended.set()
        self.join()
        totals: Counter[str] = Counter()
        for role, cpu_s in self._used.values():
            totals[role] += cpu_s
        return totals

    def _look(self) -> None:
        commands = {os.getpid(): b""}
        for pid, parent, cpu_s in sorted(processes()):  # a parent's number is smaller, until the numbers begin anew
            if parent not in commands:
                continue
            try:
                commands[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if role := self._role(commands[pid], commands[parent], self._used.get(parent, ("", 0.0))[0]):
                self._used[pid] = role, cpu_s

    @staticmethod
    def _role(command: bytes, parent_command: bytes, parent_role: str) -> str:
        """What a process is, by its command line and its parent; empty for workers and compilers.

        The zygote is forked by the judge and bears its command line, or is a program of its own, which bubblewrap may start.
        """
        of_the_engine = b"gradkit.judge" in command or b"gradkit.worker" in command
        if parent_role == "zygote":
            return "zygote" if parent_command.startswith(b"bwrap") else ""
        if parent_role == "judge":
            return "zygote" if of_the_engine else ""
        if parent_role == "grading process":
            return "judge" if of_the_engine else ""
        return "grading process" if b"-m\0gradkit\0" in command else ""


def processes() -> Iterator[tuple[int, int, float]]:
    """Number, parent and CPU seconds of every process."""
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = (
                    Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                )
            except OSError:
                continue
            yield int(entry.name), int(fields[1]), (int(fields[11]) + int(fields[12])) * tick_s


# ---- grading and telling -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Graded:
    """What one grader made of the class.

    Attributes:
        cost: Of the whole command.
        failing: For each student, the numbers of the checks without full marks, or None where there is no grade.
        roles: CPU seconds by kind of process; gradkit's only.
        seconds: What each student's submission took on the clock, by kind; gradkit's only.
    """

    cost: Cost
    failing: list[list[str] | None]
    roles: dict[str, float]
    seconds: dict[str, list[float]]


def grade(grader: graders.Grader, students: list[Student]) -> Graded:
    """Grade the class with one grader."""
    sources = [student.source for student in students]
    if not isinstance(grader, Gradkit):
        cost, failing = grader.grade(sources)
        return Graded(cost, failing, {}, {})
    roles = Roles()
    roles.start()
    try:
        cost, failing = grader.grade(sources)
    finally:
        used = roles.end()
    seconds: dict[str, list[float]] = {kind: [] for kind in PROPORTIONS}
    used["workers"] = 0.0
    for number, student in enumerate(students, start=1):
        record = results.read(grader.out / f"student{number:02}")
        seconds[student.kind].append(record.elapsed_s)
        used["workers"] += record.worker_cpu_s
    used["other"] = cost.cpu_s - sum(used.values())
    return Graded(cost, failing, dict(used), seconds)


def same_everywhere(found: list[Graded]) -> int:
    """How many submissions lost points at the same checks in all graders, of those that all of them graded."""
    rows = zip(*(graded.failing for graded in found), strict=True)
    return sum(all(row == rows_of[0] for row in rows_of) for rows_of in rows if None not in rows_of)


def table(found: dict[str, Graded], students: int) -> str:
    """Markdown: what a submission costs in each grader, and how many times the kit's that is."""
    lines = [
        "| grader | wall s a submission | CPU s | a minute | times gradkit's, one job: wall | CPU | graded |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    kit = found[Gradkit.name].cost
    for name, graded in found.items():
        each = graded.cost / students
        ratios = f"{times(graded.cost.wall_s, kit.wall_s)} | {times(graded.cost.cpu_s, kit.cpu_s)}"
        count = sum(failing is not None for failing in graded.failing)
        rate = 60 / each.wall_s
        lines.append(
            f"| {name} | {each.wall_s:.2f} | {each.cpu_s:.2f} | {rate:.0f} | {ratios} | {count} of {students} |"
        )
    return "\n".join(lines)


def rates(found: dict[str, Graded]) -> str:
    """The two jobs' rate against one's, and against every other grader's."""
    two = found[Gradkit2.name].cost
    lines = [f"Two jobs: {found[Gradkit.name].cost.wall_s / two.wall_s:.2f} times the rate of one"]
    lines += [
        f"{found[name].cost.wall_s / two.wall_s:.1f} times {name}'s"
        for name in found
        if name not in (Gradkit.name, Gradkit2.name)
    ]
    return ", ".join(lines) + "."


def roles_line(graded: Graded, students: int) -> str:
    """Where the CPU time of a run went."""
    order = ("grading process", "judge", "zygote", "workers", "other")
    parts = [f"{role} {graded.roles.get(role, 0.0) / students:.3f} s" for role in order]
    return f"CPU of a submission, one job: {', '.join(parts)} (other: compilers, what ended between two looks)."


def seconds_line(graded: Graded) -> str:
    """What a submission of each kind took on the clock, the start apart."""
    parts = [f"{kind} {statistics.median(seconds):.2f} s" for kind, seconds in graded.seconds.items() if seconds]
    return f"Wall time by kind of submission, start-up apart, one job, medians: {', '.join(parts)}."


def machine() -> str:
    return f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def run(options: argparse.Namespace, work: Path) -> None:
    selection = Selection(options.assignment, "all")
    students = make_class(load_assignment(ROOT, options.assignment), options.students, options.seed)
    about, missing = [machine()], []
    kinds = [(kind, Path(sys.executable)) for kind in (Gradkit, Gradkit2)]
    for kind in () if options.without_others else (Nbgrader, GradescopeUtils):
        if version := available(options.python, kind.needs):
            kinds.append((kind, options.python))
            about.append(f"{kind.name} {version}")
        else:
            missing.append(f"not run: {kind.name}: {options.python} can't import {kind.needs}")
    found: dict[str, Graded] = {}
    for kind, python in kinds:
        say(f"{kind.name}: {len(students)} submissions of {options.assignment}")
        grader = kind(python, selection, work, may_fail=True)
        grader.env["SAME_CHECKS_LIMIT_S"] = str(LIMIT_S)
        found[kind.name] = grade(grader, students)
        if isinstance(grader, Gradkit):
            isolation = grader.isolation["level"]
    about += [
        f"load {os.getloadavg()[0]:.1f} at the end",
        f"gradkit at isolation {isolation}, hints on; the others at none",
    ]

    counts = ", ".join(f"{count} {kind}" for kind, count in Counter(student.kind for student in students).items())
    print("; ".join(about) + "\n")
    print(f"**{options.assignment}, {len(students)} students, seed {options.seed}**: {counts}\n")
    print(table(found, len(students)) + "\n")
    for line in (rates(found), roles_line(found[Gradkit.name], len(students)), seconds_line(found[Gradkit.name])):
        print(line)
    print(f"{same_everywhere(list(found.values()))} of {len(students)} lost points at the same checks in all of them.")
    for line in missing:
        print(line)
    if options.list:
        for number, student in enumerate(students, start=1):
            lost = [len(graded.failing[number - 1] or []) for graded in found.values()]
            print(f"student{number:02}  {student.kind}: {student.what}; checks lost: {lost}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assignment", default="attention")
    parser.add_argument("--seed", type=int, default=1, help="makes the class")
    parser.add_argument("--students", type=int, default=40)
    parser.add_argument("--without-others", action="store_true", help="gradkit alone")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="of the others' environment")
    parser.add_argument("--list", action="store_true", help="name each student's submission, and the checks it lost")
    options = parser.parse_args()
    if options.students < 1:
        parser.error(f"--students is at least 1, got {options.students}")
    if not options.python.is_file():
        parser.error(f"--python: {options.python} is not there")
    options.python = options.python.absolute()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="classroom-") as place:
        try:
            run(options, Path(place))
        except Void as error:
            sys.exit(f"no figures: {error}")


if __name__ == "__main__":
    main()
