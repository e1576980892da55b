"""nbgrader's side: its `autograde` asks the judge, and its gradebook gets the points. The only module that knows it.

A course folder's `nbgrader_config.py` (see `bundle`) names the classes of this module. Then `nbgrader autograde`
executes nothing of a submission: `SubmissionExporter` reads the notebook as data and gives it the assignment's own
metadata, and `JudgeGrades` stands where nbgrader executes notebooks and looks at their outputs. It has the judge
grade the submission, as `gradkit grade` does, and stores each task's points under the task's check cell. Answers to
written questions stay with nbgrader and its formgrader. A submission that could not be graded has no score: nbgrader
reports it as failed, and `GradesExport` leaves its score empty.
"""

from __future__ import annotations

import contextlib
import csv
import html
import logging
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat.v4 import new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin
from nbgrader.preprocessors import SaveAutoGrades
from nbgrader.utils import is_grade, is_solution
from traitlets import Integer, Unicode

from gradkit import results
from gradkit.errors import GradkitError, InputError
from gradkit.grading import Grader
from gradkit.intake import Submission
from gradkit.judges import LocalJudges, scratch_folder
from gradkit.manifest import Assignment, Task, load_assignment
from gradkit.model import CheckResult, Graded, Outcome
from gradkit.notebooks.cells import read_cells
from gradkit.notebooks.write import SCHEMA_VERSION, check_id
from gradkit.safetext import page_text

IDLE_S = 60  # after which a judge without work ends
SUMMARY_ID = "gradkit-summary"


class NotGraded(GradkitError):
    """A submission without a score: nbgrader takes it off the graded ones and reports it as failed."""


# --- the notebook, as data ----------------------------------------------------------------------------------


class SubmissionExporter(NotebookExporter):
    """Reads a submitted notebook of any age and state, and gives its cells the assignment's own metadata.

    Only the cells' text and pasted pictures are taken over; outputs and metadata could be anything. A check or an
    answer that is missing is put back at its place, so that each has a cell to be graded in.
    """

    def from_file(self, file_stream, resources=None, **kw):  # noqa: ANN001, ANN003, ANN201 - nbconvert's signature
        ids = resources["nbgrader"]
        coursedir = self.parent.coursedir
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            known = _known_cells(gradebook, ids["notebook"], ids["assignment"])
        with _or_fail(self.log, coursedir, ids):
            notebook = _restored(file_stream.buffer.read(), f"{ids['notebook']}.ipynb", known)
        return self.from_notebook_node(notebook, resources=resources, **kw)


def _known_cells(gradebook: Gradebook, notebook: str, assignment: str) -> dict[str, dict]:
    """The assignment's cells that nbgrader knows, in order: id to kind, text and metadata."""
    released = gradebook.find_notebook(notebook, assignment)
    points = {cell.name: cell.max_score for cell in released.grade_cells}
    solutions = {cell.name for cell in released.solution_cells}
    known = {}
    for cell in released.source_cells:
        marks = {
            "schema_version": SCHEMA_VERSION, "grade_id": cell.name, "cell_type": cell.cell_type,
            "checksum": cell.checksum, "locked": cell.locked, "task": False,
            "grade": cell.name in points, "solution": cell.name in solutions,
        }  # fmt: skip
        if cell.name in points:
            marks["points"] = points[cell.name]
        known[cell.name] = {"kind": cell.cell_type, "text": cell.source, "marks": marks}
    return known


def _restored(raw: bytes, name: str, known: dict[str, dict]) -> nbformat.NotebookNode:
    """The notebook that nbgrader goes on with.

    Of cells with one id the last counts, as it does in Jupyter. A locked cell has the assignment's text.
    """
    cells = read_cells(raw, name)
    last = {cell.grade_id: number for number, cell in enumerate(cells) if cell.grade_id in known}
    made: list[tuple[str, nbformat.NotebookNode]] = []
    for number, cell in enumerate(cells):
        if last.get(cell.grade_id) == number:
            entry = known[cell.grade_id]
            text = entry["text"] if entry["marks"]["locked"] else cell.text
            made.append((cell.grade_id, _node(entry["kind"], cell.grade_id, text, entry["marks"])))
        elif not (cell.grade_id == SUMMARY_ID):
            node = _node(cell.kind, f"other-{number}", cell.text, {})
            if cell.images:
                node["attachments"] = {file: {kind: data} for file, kind, data in cell.images}
            made.append(("", node))
    order = list(known)
    for place, id in enumerate(order):
        if id not in last and known[id]["marks"]["grade"]:
            before = set(order[:place])
            at = max((i + 1 for i, (other, _) in enumerate(made) if other in before), default=0)
            made.insert(at, (id, _node(known[id]["kind"], id, known[id]["text"], known[id]["marks"])))
    return new_notebook(
        cells=[node for _, node in made],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )


def _node(kind: str, id: str, text: str, marks: dict) -> nbformat.NotebookNode:
    make = {"code": nbformat.v4.new_code_cell, "markdown": new_markdown_cell}.get(kind, nbformat.v4.new_raw_cell)
    return make(page_text(text), id=id, metadata={"nbgrader": marks} if marks else {})


# --- grading ------------------------------------------------------------------------------------------------


class _Graders:
    """The graders of one run of `nbgrader autograde`: each assignment's starts once, and ends with the process.

    The formgrader autogrades inside a server that goes on for days, so they also end when nothing has come for a while.
    """

    def __init__(self, kit: Path, device: str, at_least: str) -> None:
        self._kit, self._device, self._at_least = kit, device, at_least
        self._running: dict[str, Grader] = {}
        self._open = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._idle = threading.Timer(IDLE_S, self.close)

    def grade(self, assignment: Assignment, student: str, handed_in: Path, folder: Path, seed: int) -> Graded:
        """Grade what a student handed in, keeping results.json and graded.json in `folder`.

        Raises:
            GradkitError: When no judge can be started.
        """
        with self._lock:
            self._idle.cancel()
            try:
                grader = self._of(assignment)
                return grader.grade(Submission(student, handed_in), lambda graded: results.write(graded, folder), seed)
            finally:
                self._idle = threading.Timer(IDLE_S, self.close)
                self._idle.daemon = True
                self._idle.start()

    def close(self) -> None:
        with self._lock:
            self._idle.cancel()
            self._running.clear()
            self._open.close()

    def _of(self, assignment: Assignment) -> Grader:
        if assignment.id not in self._running:
            judges = LocalJudges(self._kit, assignment.id, device=self._device, at_least=self._at_least)
            scratch = self._open.enter_context(scratch_folder())
            grader = self._open.enter_context(Grader(assignment, self._open.enter_context(judges).judge, scratch))
            self._running[assignment.id] = grader
        return self._running[assignment.id]


_GRADERS: weakref.WeakKeyDictionary[object, _Graders] = weakref.WeakKeyDictionary()


def _graders_of(converter: object, *settings: object) -> _Graders:
    """The graders that belong to a run of nbgrader, which end when it does."""
    if converter not in _GRADERS:
        _GRADERS[converter] = graders = _Graders(*settings)
        weakref.finalize(converter, graders.close)
    return _GRADERS[converter]


class JudgeGrades(SaveAutoGrades):
    """Has the judge grade a submission, and stores its points and feedback. Executes nothing of it."""

    kit = Unicode(help="Folder of the kit, with assignments/ and solutions/.").tag(config=True)
    device = Unicode("cpu", help="cpu or cuda.").tag(config=True)
    at_least = Unicode("", help="The least isolation to grade at, as in `gradkit grade --require-isolation`.").tag(
        config=True
    )
    seed = Integer(None, allow_none=True, help="For the checks' inputs. Keep it secret.").tag(config=True)
    records = Unicode(
        "graded", help="Folder in the course for what `gradkit grade` writes: results.json, graded.json."
    ).tag(config=True)

    def preprocess(self, nb, resources):  # noqa: ANN001, ANN201 - nbgrader's signature
        ids = resources["nbgrader"]
        converter = self.parent.parent  # preprocessors belong to an exporter, and that to `Autograde`
        with _or_fail(self.log, converter.coursedir, ids):
            assignment = load_assignment(Path(self.kit), ids["assignment"])
            graded = self._graded(converter, assignment, ids["student"])
            if graded.status != "graded":
                raise NotGraded(graded.reason)
        self._tasks = list(_by_task(assignment, graded))
        nb, resources = super().preprocess(nb, resources)  # the written answers
        with Gradebook(converter.coursedir.db_url, converter.coursedir.course_id) as gradebook:
            for task in self._tasks:
                _store(gradebook, task, ids)
            gradebook.db.commit()
        _show(nb, graded, self._tasks)
        return nb, resources

    def _add_score(self, cell, resources):  # noqa: ANN001, ANN202 - nbgrader's signature
        """Only answers to written questions are nbgrader's to score: check cells have the judge's points."""
        if is_solution(cell):
            super()._add_score(cell, resources)

    def _graded(self, converter: object, assignment: Assignment, student: str) -> Graded:
        """What the judge makes of what the student handed in, the notebook and what came with it."""
        coursedir = converter.coursedir
        handed_in = Path(coursedir.format_path(coursedir.submitted_directory, student, assignment.id)).absolute()
        folder = Path(coursedir.root) / self.records / assignment.id / student
        if self.seed is None:
            raise InputError(
                "nbgrader_config.py gives JudgeGrades no seed: add c.JudgeGrades.seed = a large secret number"
            )
        folder.mkdir(parents=True, exist_ok=True)
        graders = _graders_of(converter, Path(self.kit), self.device, self.at_least)
        return graders.grade(assignment, student, handed_in, folder, self.seed)


@contextlib.contextmanager
def _or_fail(log: logging.Logger, coursedir: object, ids: dict[str, str]) -> Iterator[None]:
    """Take back every score of the code when something fails: none stands for a submission that is not graded."""
    try:
        yield
        return
    except GradkitError as error:
        reason = page_text(str(error))
    except Exception as error:  # a fault of the engine's costs this submission its turn, not the class
        reason = page_text(f"{type(error).__name__} in the grader: {error}")
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook, contextlib.suppress(MissingEntry):
        notebook = gradebook.find_submission_notebook(ids["notebook"], ids["assignment"], ids["student"])
        for grade in _code_grades(notebook):
            grade.auto_score = None
            grade.needs_manual_grade = True
        gradebook.db.commit()
    log.error("%s of %s is NOT GRADED, and has no score: %s", ids["assignment"], ids["student"], reason)
    raise NotGraded(reason)  # nbgrader removes what it wrote for the student, goes on with the next, and exits with 1


def _code_grades(notebook: object) -> list:
    """The grades of check cells: those that the judge gives."""
    answers = {cell.name for cell in notebook.notebook.solution_cells}
    return [grade for grade in notebook.grades if grade.name not in answers]


@dataclass(frozen=True)
class _TaskGrade:
    """One task's points and checks. `score` is None where nothing of it could run here."""

    task: Task
    score: float | None
    results: tuple[CheckResult, ...]

    @property
    def unwritten(self) -> bool:
        return all(result.outcome is Outcome.NOT_WRITTEN for result in self.results)


def _by_task(assignment: Assignment, graded: Graded) -> Iterator[_TaskGrade]:
    for task in assignment.manifest.tasks:
        found = tuple(result for result in graded.results if result.check.task == task.id)
        ran = sum(result.check.points for result in found if result.ran)
        score = sum(result.score for result in found)
        # A check that could not run here counts neither for nor against, and nbgrader's points are fixed.
        yield _TaskGrade(task, round(task.points * score / ran, 6) if ran else None, found)


def _store(gradebook: Gradebook, task: _TaskGrade, ids: dict[str, str]) -> None:
    """Points under the task's check cell; in the comment on its code, what is worth a second look."""
    place = (ids["notebook"], ids["assignment"], ids["student"])
    grade = gradebook.find_grade(check_id(task.task), *place)
    grade.auto_score = task.score
    grade.needs_manual_grade = task.score is None or grade.manual_score is not None
    if task.unwritten or task.score == task.task.points:
        return
    released = gradebook.find_notebook(ids["notebook"], ids["assignment"])
    functions = {function.partition(".")[0] for function in task.task.functions}
    cells = [cell.name for cell in released.solution_cells if cell.name.partition("-")[2] in functions]
    if cells:
        comment = gradebook.find_comment(cells[-1], *place)
        comment.auto_comment = "\n\n".join(filter(None, [comment.auto_comment, _comment(task)]))


def _comment(task: _TaskGrade) -> str:
    """A line on the task and its hints. nbgrader renders comments as Markdown, so nothing of a submission's is in it."""
    score = "not run here" if task.score is None else f"{_number(task.score)} of {task.task.points}"
    hints = dict.fromkeys((case.blamed, case.hint) for result in task.results for case in result.cases if case.hint)
    said = (f"Hint: this comes from {blamed}. {hint}" if blamed else f"Hint: {hint}" for blamed, hint in hints)
    return "\n\n".join([f"{task.task.title}: {score}.", *said])


# --- what the student reads ---------------------------------------------------------------------------------

_CELL = "text-align:left;vertical-align:top;padding:4px 12px 4px 0;border:none"
_PRE = (
    "white-space:pre-wrap;word-break:normal;overflow-wrap:break-word;font-family:monospace;font-size:92%;"
    "margin:2px 0 4px;padding:0;border:none;background:none"
)


def _show(nb: nbformat.NotebookNode, graded: Graded, tasks: list[_TaskGrade]) -> None:
    """Put a table of its checks under each check cell, and what concerns the whole notebook at its head."""
    shown = {check_id(task.task): task for task in tasks}
    told = results.advice(result for task in tasks for result in task.results)
    for cell in nb.cells:
        task = shown.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        if task is not None and is_grade(cell) and cell.cell_type == "code":
            data = {"text/html": _task_html(task, told), "text/plain": _task_text(task, told)}
            cell.outputs = [new_output("display_data", data=data)]
    nb.cells = [cell for cell in nb.cells if cell.get("id") != SUMMARY_ID]
    nb.cells.insert(0, new_markdown_cell(_summary(graded), id=SUMMARY_ID))


def _summary(graded: Graded) -> str:
    lines = [
        f"<b>{_number(graded.score)} of {_number(graded.max_score)} points for the code.</b> Under each check cell is what was found."
    ]
    lines += [
        html.escape(line) for note in results.notes(graded) for line in page_text(note).splitlines() if line.strip()
    ]
    return f"<div>{'<br>'.join(lines)}</div>"


def _number(points: float) -> str:
    return f"{round(points, 2):g}"


def _headline(task: _TaskGrade) -> str:
    if task.score is None:
        return f"{task.task.title}: nothing of it could be run here; it counts neither for nor against"
    return f"{task.task.title}: {_number(task.score)} of {task.task.points} points"


def _points(result: CheckResult) -> str:
    return f"{_number(result.score)} of {_number(result.check.points)}" if result.ran else "not run"


def _kind(result: CheckResult) -> str:
    return "hidden" if result.check.hidden else "public"


def _task_html(task: _TaskGrade, told: tuple[results.Advice, ...]) -> str:
    """What `results.explain` says, as a table. All of it is escaped: it may quote the submission."""
    rows = []
    for result in task.results:
        text = results.explain(result, told)
        said = f'<pre style="{_PRE}">{html.escape(text)}</pre>' if text else ""
        full = result.outcome is Outcome.PASSED
        rows.append(
            f'<tr style="background:none"><td style="{_CELL};color:{"#009E73" if full else "#D55E00"}"><b>{"✓" if full else "✗"}</b></td>'
            f'<td style="{_CELL};white-space:nowrap">{_points(result)}</td>'
            f'<td style="{_CELL};max-width:60em">{result.check.number} {html.escape(result.check.title)} <span style="opacity:0.7">({_kind(result)})</span>{said}</td></tr>'
        )
    return f'<div><b>{html.escape(_headline(task))}</b><table style="border:none">{"".join(rows)}</table></div>'


def _task_text(task: _TaskGrade, told: tuple[results.Advice, ...]) -> str:
    lines = [_headline(task)]
    for result in task.results:
        lines.append(f"{_points(result)}  {result.check.number} {result.check.title} ({_kind(result)})")
        lines += [f"    {line}" for line in results.explain(result, told).splitlines()]
    return "\n".join(lines)


# --- grades as a table --------------------------------------------------------------------------------------

COLUMNS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
    "status", "code_score", "max_code_score", "written_score", "max_written_score",
)  # fmt: skip


class GradesExport(ExportPlugin):
    """nbgrader's CSV with five columns more. A submission without a grade has no score: nbgrader writes 0.0 for it.

    `status` is `graded`, `needs manual grading`, `not autograded`, or `no submission`, which scores 0 as in nbgrader.
    """

    def export(self, gradebook: Gradebook) -> None:
        wanted, students = set(map(str, self.assignment)), set(map(str, self.student))
        path = Path(self.to or "grades.csv")
        rows = [
            self._row(gradebook, assignment, student)
            for assignment in gradebook.assignments
            for student in gradebook.students
            if (not wanted or assignment.name in wanted) and (not students or student.id in students)
        ]
        beside = path.with_name(f".{path.name}.new")
        with beside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        beside.replace(path)
        self.log.info("Wrote %d rows to %s", len(rows), path)

    def _row(self, gradebook: Gradebook, assignment: object, student: object) -> dict[str, object]:
        row = {
            "assignment": assignment.name, "duedate": assignment.duedate or "", "student_id": student.id,
            "last_name": student.last_name or "", "first_name": student.first_name or "", "email": student.email or "",
            "max_score": assignment.max_score,
        }  # fmt: skip
        try:
            submission = gradebook.find_submission(assignment.name, student.id)
        except MissingEntry:
            if self._handed_in(assignment.name, student.id):
                return {**row, "status": "not autograded"}
            return {
                **row,
                "raw_score": 0.0,
                "late_submission_penalty": 0.0,
                "score": 0.0,
                "status": "no submission",
            }
        row["timestamp"] = submission.timestamp or ""
        code = [grade for notebook in submission.notebooks for grade in _code_grades(notebook)]
        if code and all(grade.auto_score is None and grade.manual_score is None for grade in code):
            return {**row, "status": "not autograded"}
        penalty = submission.late_submission_penalty or 0.0
        score = round(sum(grade.score for grade in code), 6)
        most = sum(grade.max_score for grade in code)
        return {
            **row, "raw_score": round(submission.score, 6), "late_submission_penalty": penalty,
            "score": round(max(0.0, submission.score - penalty), 6),
            "status": "needs manual grading" if submission.needs_manual_grade else "graded",
            "code_score": score, "max_code_score": most,
            "written_score": round(submission.score - score, 6), "max_written_score": assignment.max_score - most,
        }  # fmt: skip

    def _handed_in(self, assignment: str, student: str) -> bool:
        coursedir = self.parent.coursedir
        return Path(coursedir.format_path(coursedir.submitted_directory, student, assignment)).is_dir()
