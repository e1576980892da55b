"""What grading costs here and in three other graders: the same checks on the same submissions, measured in one run.

    python tests/benchmarks/graders.py --python GRADERS/bin/python [--rounds 3] [--plot docs/graders.svg]

GRADERS is a virtual environment of its own with nbgrader, otter-grader, gradescope-utils, numpy, torch and pytest; a package of
the first three that is missing in it is told as not run. The table goes to stdout as Markdown, progress to stderr. Linux only.

All four run the same checks, all cases of each, with the same inputs: those of conformal, for which NumPy will do; its public
ones alone, since the kit gives each hidden check a worker of its own and lets the public ones share one; and those of
attention, for which torch is loaded, as for most assignments:

- gradkit: `gradkit grade`, one job, at the isolation that this machine gives; of the four, the only one with any.
- nbgrader: `nbgrader autograde`, one call for all; a notebook with the submission in one cell and a graded cell for each check.
- otter-grader: `otter run`, a call for each submission, which is how it is made; a test file for each check.
- gradescope-utils: JSONTestRunner in a new process for each submission, as Gradescope starts one; a method for each check.

The last three call `same_checks.py`. Each must give the reference full marks, and take the known mistake's points at exactly
the same checks, or there are no figures. Further submissions are what n take more than one, by n - 1.

Processor time is that of all processes that a command started, and varies less than wall time with what else the machine does.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import same_checks
from same_checks import Selection

from gradkit.manifest import load_assignment
from gradkit.mistakes import find_mistake, read_mistakes
from gradkit.stubs import read_authored

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MISTAKE = "rank_used_as_index"
TIMEOUT_S = 600
PR_SET_CHILD_SUBREAPER = 36

GRADESCOPE = """
import io, pathlib, sys, unittest
from gradescope_utils.autograder_utils.decorators import number, weight
from gradescope_utils.autograder_utils.json_test_runner import JSONTestRunner
import same_checks

checks = same_checks.Checks()
submission = same_checks.load(pathlib.Path(sys.argv[1]))

class TestSubmission(unittest.TestCase):
    pass

def method(check):
    return weight(check.points)(number(check.number)(lambda self: checks.run(check.number, submission)))

for check in checks.checks.values():
    setattr(TestSubmission, check.function.__name__, method(check))
out = io.StringIO()
JSONTestRunner(visibility="visible", stream=out).run(unittest.defaultTestLoader.loadTestsFromTestCase(TestSubmission))
pathlib.Path(sys.argv[2]).write_text(out.getvalue())
"""

OTTER_TEST = """
OK_FORMAT = False
from otter.test_files import test_case
name = {number!r}
points = {points!r}

@test_case()
def check(env):
    import same_checks
    same_checks.run({number!r}, env)
"""

# What nbgrader's gradebook holds, as its own code reads it.
READ_GRADEBOOK = """
import json, sys
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as gradebook:
    print(json.dumps({
        submission.student.id: [
            [grade.name, grade.score, grade.max_score] for notebook in submission.notebooks for grade in notebook.grades
        ]
        for submission in gradebook.assignment_submissions(sys.argv[1])
    }))
"""


class Void(Exception):
    """The graders did not do the same work, or one of them failed: its figures would mean nothing."""


@dataclass(frozen=True)
class Cost:
    """Seconds: on the clock, and of processor time."""

    wall_s: float
    cpu_s: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.wall_s - other.wall_s, self.cpu_s - other.cpu_s)

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def __truediv__(self, n: float) -> Cost:
        return Cost(self.wall_s / n, self.cpu_s / n)


def median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(c.wall_s for c in costs), statistics.median(c.cpu_s for c in costs))


def measured(command: list[str | Path], cwd: Path, env: dict[str, str], *, may_fail: bool = False) -> Cost:
    """What a command costs, until the last process that it started has ended.

    Raises:
        Void: When it fails and may not; with the end of what it said.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    what = " ".join(map(str, command[:4]))
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Void(f"{what} had not ended after {TIMEOUT_S} s") from None
    wall_s = time.perf_counter() - begun
    wait_for_orphans(what)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0 and not may_fail:
        raise Void(f"{what} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")
    return Cost(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def wait_for_orphans(what: str) -> None:
    """Wait for the processes that a command left behind: they came to this one, and only then does their time count.

    Raises:
        Void: When one has not ended after half a minute.
    """
    until = time.monotonic() + 30
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.02)
        raise Void(f"{what} left processes behind that do not end")


def environment(home: Path, python: Path, selection: Selection) -> dict[str, str]:
    """The environment of every grader: one thread, the runner and its Python's programs to be found, nobody's settings."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    places = {name: str(home / name.lower()) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    paths = {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "shared"), str(HERE)]),
        "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
    }
    return {**os.environ, **threads, **places, **paths, "JUPYTER_PLATFORM_DIRS": "1", "SAME_CHECKS": str(selection)}


# ---- the graders: each prepares once, then grades n copies of a submission in a folder of its own ----------------


class Grader:
    """One way to grade. `needs` is what its Python must be able to import; `batch` how many go into the larger run.

    Args:
        python: Runs it.
        selection: The checks.
        work: A folder for all it needs.
        may_fail: Submissions may be such that it gives no grade, and ends with an error.
    """

    name = ""
    needs = ""
    batch = 1

    def __init__(self, python: Path, selection: Selection, work: Path, *, may_fail: bool = False) -> None:
        self.may_fail = may_fail
        self.python, self.selection, self.work = python, selection, work
        self.id = selection.assignment
        self.checks = same_checks.read_checks(selection)
        self.env = environment(work, python, selection)
        self.prepare()

    def prepare(self) -> None:
        """What an instructor does once; not timed."""

    def grade(self, sources: list[bytes]) -> tuple[Cost, list[list[str] | None]]:
        """Grade a class: what it cost, and for each submission the numbers of the checks without full marks.

        None stands for a submission without a grade.
        """
        raise NotImplementedError

    def measured(self, command: list[str | Path], cwd: Path, env: dict[str, str] | None = None) -> Cost:
        return measured(command, cwd, self.env if env is None else env, may_fail=self.may_fail)

    def failing(self, tests: list[tuple[str, float, float]]) -> list[str]:
        """The numbers of the checks that lost points, of (number, score, maximum)."""
        scores = {number: (score, most) for number, score, most in tests}
        if {number: most for number, (_, most) in scores.items()} != {
            number: check.points for number, check in self.checks.items()
        }:
            raise Void(f"{self.name} graded {len(scores)} checks, not the same {len(self.checks)} with the same points")
        return [number for number in self.checks if scores[number][0] < scores[number][1]]

    def folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.work))


def hand_in(folder: Path, sources: list[bytes], file: str) -> list[Path]:
    """The students' submissions, each in a folder of its own."""
    paths = [folder / f"student{number:02}" / file for number in range(1, len(sources) + 1)]
    for path, source in zip(paths, sources, strict=True):
        path.parent.mkdir(parents=True)
        path.write_bytes(source)
    return paths


class Gradkit(Grader):
    name, needs, batch, jobs = "gradkit", "gradkit", 9, 1

    def prepare(self) -> None:
        self.root = ROOT
        if self.selection.which == "public":
            self.batch = 25  # each takes so little that fewer would drown in the start-up's variation
            self.root = self.folder()
            for part in ("assignments", "solutions"):
                shutil.copytree(ROOT / part / self.id, self.root / part / self.id)
            hidden = self.root / "solutions" / self.id / "test_hidden.py"
            hidden.write_text('"""None."""\n', encoding="utf-8")

    def grade(self, sources: list[bytes]) -> tuple[Cost, list[list[str] | None]]:
        folder = self.folder()
        self.out = folder / "out"
        paths = hand_in(folder / "in", sources, f"{self.id}.py")
        options = ["--root", self.root, "--out", self.out, "--jobs", str(self.jobs), "--seed", str(same_checks.SEED)]
        command = [self.python, "-m", "gradkit", "grade", self.id, *(path.parent for path in paths), *options]
        cost = self.measured(command, ROOT, {name: value for name, value in self.env.items() if name != "PYTHONPATH"})
        found = []
        for path in paths:
            results = json.loads((self.out / path.parent.name / "results.json").read_text(encoding="utf-8"))
            self.isolation = results["extra_data"]["isolation"]
            tests = [(t["number"], t["score"], t["max_score"]) for t in results["tests"]]
            found.append(self.failing(tests) if results["extra_data"]["status"] == "graded" else None)
        return cost, found


class Gradkit2(Gradkit):
    name, jobs = "gradkit, two jobs", 2


class Nbgrader(Grader):
    name, needs, batch = "nbgrader", "nbgrader", 4

    def prepare(self) -> None:
        self.course = self.folder()
        config = f"c = get_config()\nc.CourseDirectory.course_id = 'course'\nc.CourseDirectory.root = '{self.course}'\n"
        (self.course / "nbgrader_config.py").write_text(config, encoding="utf-8")
        source = self.course / "source" / self.id / f"{self.id}.ipynb"
        source.parent.mkdir(parents=True)
        source.write_text(self.notebook("### BEGIN SOLUTION\npass\n### END SOLUTION"), encoding="utf-8")
        measured(self.nbgrader("generate_assignment", self.id), self.course, self.env)

    def nbgrader(self, *arguments: str) -> list[str | Path]:
        return [self.python, "-m", "nbgrader", *arguments]

    def notebook(self, source: str) -> str:
        cells = [cell("submission", source, solution=True)]
        for number, check in self.checks.items():
            text = f"import same_checks\nsame_checks.run({number!r}, globals())"
            cells.append(cell(grade_id(number), text, points=check.points))
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})

    def grade(self, sources: list[bytes]) -> tuple[Cost, list[list[str] | None]]:
        folder = self.folder() / "course"
        shutil.copytree(self.course, folder)
        config = (folder / "nbgrader_config.py").read_text(encoding="utf-8")
        (folder / "nbgrader_config.py").write_text(config.replace(str(self.course), str(folder)), encoding="utf-8")
        release = json.loads((folder / "release" / self.id / f"{self.id}.ipynb").read_text(encoding="utf-8"))
        notebooks = []
        for source in sources:
            release["cells"][0]["source"] = source.decode("utf-8", "replace")
            notebooks.append(json.dumps(release).encode())
        paths = hand_in(folder / "submitted", notebooks, f"{self.id}/{self.id}.ipynb")
        cost = self.measured(self.nbgrader("autograde", self.id), folder)
        command = [self.python, "-c", READ_GRADEBOOK, self.id]
        read = subprocess.run(command, cwd=folder, env=self.env, capture_output=True, text=True)
        if read.returncode != 0:
            raise Void(f"nbgrader's gradebook can't be read: {read.stderr[-2000:]}")
        numbers = {grade_id(number): number for number in self.checks}
        grades, found = json.loads(read.stdout), []
        for path in paths:
            student = path.parents[1].name
            graded = (folder / "autograded" / student / self.id / path.name).is_file()
            if not graded and not self.may_fail:
                raise Void(f"nbgrader graded {len(grades)} of {len(sources)} submissions")
            rows = [(numbers[name], score, most) for name, score, most in grades[student]] if graded else []
            found.append(self.failing(rows) if graded else None)
        return cost, found


def grade_id(number: str) -> str:
    return f"check-{number.replace('.', '-')}"


def cell(name: str, source: str, *, solution: bool = False, points: float | None = None) -> dict:
    """A code cell with nbgrader's metadata: the student's own, or a locked one with points."""
    kind = {"grade": not solution, "solution": solution, "locked": not solution, "task": False}
    about = {"schema_version": 3, "grade_id": name, **kind, **({} if points is None else {"points": points})}
    empty = {"execution_count": None, "outputs": []}
    return {"cell_type": "code", "id": name, "metadata": {"nbgrader": about}, "source": source, **empty}


class Otter(Grader):
    name, needs = "otter-grader", "otter"

    def prepare(self) -> None:
        place = self.folder()
        (place / "tests").mkdir()
        for number, check in self.checks.items():
            text = OTTER_TEST.format(number=number, points=check.points)
            (place / "tests" / f"{grade_id(number)}.py").write_text(text, encoding="utf-8")
        self.autograder = place / "autograder.zip"
        leave = ["--no-config", "--no-requirements", "--no-environment"]
        command = [self.python, "-m", "otter", "generate", "-t", place / "tests", "-o", self.autograder, *leave]
        measured(command, place, self.env)

    def grade(self, sources: list[bytes]) -> tuple[Cost, list[list[str] | None]]:
        folder, total, found = self.folder(), Cost(0.0, 0.0), []
        for path in hand_in(folder, sources, f"{self.id}.py"):
            command = [self.python, "-m", "otter", "run", "-a", self.autograder, "-o", path.parent, "--no-logo", path]
            total += self.measured(command, path.parent)
            tests = json.loads((path.parent / "results.json").read_text(encoding="utf-8"))["tests"]
            found.append(self.failing([(t["name"], t["score"], t["max_score"]) for t in tests if "max_score" in t]))
        return total, found


class GradescopeUtils(Grader):
    name, needs = "gradescope-utils", "gradescope_utils"

    def prepare(self) -> None:
        self.script = self.folder() / "run_tests.py"
        self.script.write_text(GRADESCOPE, encoding="utf-8")

    def grade(self, sources: list[bytes]) -> tuple[Cost, list[list[str] | None]]:
        folder, total, found = self.folder(), Cost(0.0, 0.0), []
        for path in hand_in(folder, sources, f"{self.id}.py"):
            out = path.parent / "results.json"
            total += self.measured([self.python, self.script, path, out], path.parent)
            if not out.is_file() and self.may_fail:  # the process ended on the way
                found.append(None)
                continue
            tests = json.loads(out.read_text(encoding="utf-8"))["tests"]
            found.append(self.failing([(t["number"], t["score"], t["max_score"]) for t in tests]))
        return total, found


# ---- measuring ---------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """Of one grader on one submission: the first one, and what each further one adds; a figure per round."""

    first: list[Cost] = field(default_factory=list)
    further: list[Cost] = field(default_factory=list)


def warm(python: Path, selection: Selection, source: str, work: Path) -> tuple[float, list[str]]:
    """The checks' own work, processor seconds in a process that has done it before; and the checks that fail."""
    path = work / "warm.py"
    path.write_text(source, encoding="utf-8")
    command = [python, HERE / "same_checks.py", path, "--rounds", "9"]
    env = environment(work, python, selection)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode != 0:
        raise Void(f"same_checks.py ended with {done.returncode}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    return statistics.median(found["cpu_s"]), found["failed"]


def run_once(grader: Grader, source: str, n: int, expected: list[str]) -> Cost:
    cost, found = grader.grade([source.encode()] * n)
    for failing in found:
        if failing != expected:
            raise Void(
                f"{grader.name} took points at {failing or 'no check'}, the checks alone at {expected or 'none'}"
            )
    return cost


@dataclass
class Work:
    """What is graded, by whom, and what it cost.

    Attributes:
        title: In a few words.
        heading: Said above the table.
        graders: Each with the same checks.
        source: The submission.
        rounds: How often it is measured.
        own_s: Processor seconds of the checks alone.
        expected: The numbers of the checks that take points.
    """

    title: str
    heading: str
    graders: list[Grader]
    source: str
    rounds: int
    own_s: float
    expected: list[str]
    figures: dict[str, Figures] = field(default_factory=dict)

    def further(self, name: str) -> Cost:
        return median(self.figures[name].further)


def measure(works: list[Work]) -> None:
    """Every grader on every submission in every round, so that a busy minute is everyone's."""
    for number in range(1 + max(work.rounds for work in works)):
        for work in works:
            for grader in work.graders:
                if number > work.rounds or (number == 0 and work is not works[0]):
                    continue
                say(f"round {number}: {grader.name}: {work.heading}")
                one = run_once(grader, work.source, 1, work.expected)
                if number == 0:
                    continue  # writes bytecode and settings
                found = work.figures.setdefault(grader.name, Figures())
                found.first.append(one)
                if grader.batch == 1:  # nothing is kept from one submission to the next
                    found.further.append(one)
                else:
                    whole = run_once(grader, work.source, grader.batch, work.expected)
                    found.further.append((whole - one) / (grader.batch - 1))


def sandbox_ms() -> dict[str, float]:
    """Medians that sandbox_cost.py prints: fork, enter, fork to reaped."""
    command = [sys.executable, HERE / "sandbox_cost.py", "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tempfile.gettempdir())
    return {name.strip(): float(ms) for name, ms in re.findall(r"^(.+?) +([\d.]+) ms", done.stdout, re.MULTILINE)}


# ---- telling -----------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def times(value: float, unit: float) -> str:
    """A ratio, or what to read instead where the machine was so busy that a difference of two runs is no figure."""
    return f"{value / unit:.1f}" if min(value, unit) > 0 else "lost in noise"


def table(work: Work) -> str:
    """Markdown: each grader's costs, and how many times the kit's the further ones are."""
    lines = [
        f"{work.heading}:",
        "",
        "| grader | first: wall s | CPU s | each further: wall s | CPU s | a minute | times gradkit's: wall | CPU "
        "| checks' own share of CPU |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    kit = work.further("gradkit")
    for grader in work.graders:
        first, further = median(work.figures[grader.name].first), work.further(grader.name)
        numbers = [first.wall_s, first.cpu_s, further.wall_s, further.cpu_s]
        shown = " | ".join(f"{number:.2f}" for number in numbers)
        rate = f"{60 / further.wall_s:.0f}" if further.wall_s > 0 else "lost in noise"
        ratios = f"{rate} | {times(further.wall_s, kit.wall_s)} | {times(further.cpu_s, kit.cpu_s)}"
        lines.append(f"| {grader.name} | {shown} | {ratios} | {100 * work.own_s / further.cpu_s:.0f}% |")
    return "\n".join(lines) + "\n"


def jobs_line(work: Work) -> str:
    two = work.further(Gradkit2.name).wall_s
    others = [grader.name for grader in work.graders if not isinstance(grader, Gradkit)]
    rates = [f"{times(work.further(name).wall_s, two)} times {name}'s" for name in others]
    return (
        f"{work.title}, two jobs: {work.further(Gradkit.name).wall_s / two:.2f} times the rate of one"
        + "".join(f", {rate}" for rate in rates)
        + "."
    )


def sandbox_line(work: Work) -> str:
    workers = 1 + sum("p" not in number for number in work.graders[0].checks)  # one for all public checks
    sandbox, kit = sandbox_ms(), work.further("gradkit")
    enter_s = workers * sandbox["enter"] / 1e3
    return (
        f"The sandbox, {work.title}: {workers} workers, each {sandbox['enter']:.2f} ms to enter it, {enter_s:.3f} s in all, or "
        f"{100 * enter_s / kit.wall_s:.0f}% of a further submission's wall time. From fork to end a worker that does nothing "
        f"takes {sandbox['fork to reaped']:.2f} ms, all with torch loaded."
    )


def plot(path: Path, works: list[Work]) -> None:
    """What each further submission costs, a panel for each piece of work, beside the checks' own."""
    from coursekit import plots

    with plots.style():
        names = [grader.name for grader in works[0].graders if not isinstance(grader, Gradkit2)][::-1]
        fig, axes = plots.subplots(1, len(works), size=(12.5, 1.4 + 0.55 * len(names)), sharey=True, sharex=True)
        for ax, work in zip(axes, works, strict=True):
            for up, colour, marker, label in ((0.14, "blue", "o", "wall time"), (-0.14, "orange", "s", "CPU time")):
                costs = [work.further(name) for name in names]
                values = [cost.wall_s if label == "wall time" else cost.cpu_s for cost in costs]
                heights = [place + up for place in range(len(names))]
                ax.plot(values, heights, marker, color=plots.COLORS[colour], markersize=8, label=label)
                for value, height in zip(values, heights, strict=True):
                    if value <= 0:  # lost in what else the machine did; the table tells
                        continue
                    shown = {"xytext": (9, 0), "textcoords": "offset points", "va": "center", "size": 9}
                    ax.annotate(f"{value:.2f} s", (value, height), **shown)
            ax.axvline(work.own_s, color=plots.COLORS["grey"], linestyle="--", label="the checks' own CPU time")
            ax.set_title(work.title, loc="left")
            ax.set_xscale("log")
            ax.grid(False, axis="y")
            ax.set_xlabel("seconds, logarithmic")
        axes[0].set_yticks(range(len(names)), [f"{name}, isolated" if name == "gradkit" else name for name in names])
        axes[0].set_ylim(-0.5, len(names) - 0.5)
        low, high = axes[0].get_xlim()
        axes[0].set_xlim(low, high * 3)  # room for the last number
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
        plots.save(
            fig, path.parent, path.stem, "What each further submission costs in each grader, doing the same checks."
        )
    path.with_suffix(".png").unlink()


def available(python: Path | None, module: str) -> str:
    """Version of a package in another Python, or empty."""
    if python is None:
        return ""
    code = (
        "import importlib, importlib.metadata as m, sys; importlib.import_module(sys.argv[1]);"
        "print(m.version(m.packages_distributions()[sys.argv[1]][0]))"
    )
    done = subprocess.run([python, "-c", code, module], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, help="of the environment that holds the other graders")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path, help="an SVG to write")
    options = parser.parse_args()
    if options.plot and options.plot.suffix != ".svg":
        parser.error(f"--plot names an .svg, got {options.plot}")
    if options.python and not options.python.is_file():
        parser.error(f"--python: {options.python} is not there")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="graders-") as place:
        try:
            run(options, Path(place))
        except Void as error:
            sys.exit(f"no figures: {error}")


def run(options: argparse.Namespace, place: Path) -> None:
    theirs = options.python.absolute() if options.python else None
    kinds, lines, missing = [], [], []  # what runs, its versions, what does not
    for kind in (Nbgrader, Otter, GradescopeUtils):
        if version := available(theirs, kind.needs):
            kinds.append(kind)
            lines.append(f"{kind.name} {version}")
        else:
            why = f"{theirs} can't import {kind.needs}" if theirs else "no --python given"
            missing.append(f"not run: {kind.name}: {why}")

    ours, works = Path(sys.executable), []
    for text, with_mistake in (
        ("conformal/all", False),
        ("attention/all", False),
        ("conformal/public", False),
        ("conformal/all", True),
    ):
        selection = Selection.read(text)
        rounds = options.rounds if selection.which == "all" and not with_mistake else max(1, options.rounds - 1)
        source, what = read_authored(selection.reference), "the reference, full marks in each"
        if with_mistake:
            assignment = load_assignment(ROOT, selection.assignment)
            source = find_mistake(read_mistakes(assignment), MISTAKE, assignment.hidden).submission(source)
        own_s, failed = warm(ours, selection, source, place)
        if bool(failed) != with_mistake:
            raise Void(f"the checks alone take points at {failed or 'none'}")
        if with_mistake:
            what = f"the mistake `{MISTAKE}`, which loses points at {len(failed)} checks, the same in each"
        graders = [kind(ours, selection, place) for kind in (Gradkit, Gradkit2)]
        graders += [kind(theirs, selection, place) for kind in kinds]
        checks = graders[0].checks
        title = f"{selection.assignment}, {selection.which} {len(checks)} checks"
        cases = sum(len(check.cases) for check in checks.values())
        works.append(Work(title, f"{title}, {cases} cases, on {what}", graders, source, rounds, own_s, failed))
    measure(works)

    isolation = works[0].graders[0].isolation["level"]
    about = [
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        f"medians of {options.rounds} for the first two tables and {works[-1].rounds} for the others",
        f"gradkit at isolation {isolation}, the others at none",
        *lines,
    ]
    print("; ".join(about) + "\n")
    for work in works:
        print(table(work))
    print(f"The checks' own CPU time, in the tables' order: {', '.join(f'{work.own_s:.3f} s' for work in works)}.")
    for work in works[:2]:
        print(jobs_line(work))
        print(sandbox_line(work))
    for line in missing:
        print(line)
    if options.plot:
        plot(options.plot, works[:3])


if __name__ == "__main__":
    main()
