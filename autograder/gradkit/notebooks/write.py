"""Cuts the notebook that students get from an assignment's sources: the handout, the stub, the public checks.

For each task there is its section of the handout, a cell for each function to write, a cell that runs its public
checks, and then what the handout has the student look at, its snippets as cells. Code that the stub gives stands in
cells of its own. The cells carry nbgrader's metadata (schema version 3): check cells have the tasks' points and are
graded, the functions' cells are solutions, an answer to a question is graded by hand. Ids come from the names of
tasks and functions, so a rebuild changes none.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gradkit.errors import AuthoringError
from gradkit.manifest import Assignment, Question, Task
from gradkit.notebooks.names import Names, names_of
from gradkit.notebooks.prose import folded, handing_in, in_notebook, split_at_see
from gradkit.stubs import NOT_WRITTEN, build_stub, parse_python, read_authored

FORMAT = 4, 5  # of the notebook: version and minor version
SCHEMA_VERSION = 3  # nbgrader's, of the metadata of a cell
ANSWER_HERE = "YOUR ANSWER HERE"

_LONGEST_ID = 64  # of nbformat
_TASK_HEADING = re.compile(r"## Task (\d+)\b")
_RULE = re.compile(r"#.*-{3}|#\s*={3}")  # a comment that only divides the file
_HEADING = re.compile(r"#\s*(Task \d+|Given)\b", re.IGNORECASE)
_CUT = re.compile(re.escape(NOT_WRITTEN).replace(r"\{task\}", r"(\w+)"))

_HOW_TO = """This notebook is the handout of the assignment together with its code. Run the first cell, then work from top to
bottom: write your code at `YOUR CODE HERE`, run that cell, run the check below it, and then the cells under *See*. Where the
text speaks of `{module}`, the cells of this notebook are meant. Keep the names of the functions; add cells of your own wherever
you like: only definitions, imports and constants are graded, never what a cell prints or tries. When it is graded, your code
can't start processes or use the network."""

_SETUP = Path(__file__).resolve().parent.parent / "templates" / "notebook" / "setup.py"


def _setup(module: str) -> str:
    """The first cell, which finds the bundle."""
    text = _SETUP.read_text(encoding="utf-8").strip()
    return text.replace("STEM", Path(module).stem).replace("MODULE", module)


def build_notebook(assignment: Assignment) -> str:
    """The text that `assignments/ID/ID.ipynb` should hold, which nbformat agrees is a notebook.

    Raises:
        AuthoringError: When a source is missing, or a task has no code in the stub or no section in the handout.
    """
    import nbformat  # takes most of a second

    text = notebook_text(assignment)
    nbformat.validate(nbformat.reads(text, as_version=FORMAT[0]))
    return text


def notebook_text(assignment: Assignment) -> str:
    """The same without asking nbformat: enough to see whether the notebook is stale.

    Raises:
        AuthoringError: As `build_notebook` does.
    """
    sections = _sections(assignment)
    plan = _plan(assignment)
    cells = [*_head(assignment, sections, plan), *_tasks(sections, plan), *_tail(assignment, sections)]
    ids = [cell["id"] for cell in cells]
    if twice := {id for id in ids if ids.count(id) > 1}:
        raise AuthoringError(f"{assignment.public}: two cells would be called {min(twice)}; rename a task or a heading")
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": FORMAT[0],
        "nbformat_minor": FORMAT[1],
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


# --- cells --------------------------------------------------------------------------------------------------


def check_id(task: Task) -> str:
    """The id of the cell that runs a task's checks, which nbgrader keeps the task's points under."""
    return _id(task.id)


def question_id(question: Question) -> str:
    """The id of the cell that holds the answer to a question."""
    return _id("question", question.id)


def _id(*parts: str) -> str:
    """A cell's id: the same on every build, of the characters that nbformat and nbgrader allow."""
    id = re.sub(r"[^A-Za-z0-9_-]", "-", "-".join(parts))
    if len(id) > _LONGEST_ID:
        id = f"{id[: _LONGEST_ID - 9]}-{hashlib.blake2b(id.encode(), digest_size=4).hexdigest()}"
    return id


def _slug(text: str) -> str:
    """The id of a section of the handout, from its heading."""
    heading = text.partition("\n")[0].lstrip("# ")
    return _id("text", re.sub(r"\W+", "-", heading.lower()).strip("-"))


def _marks(id: str, **marks: object) -> dict[str, object]:
    """nbgrader's metadata, and Jupyter's on what may be changed."""
    nbgrader = {
        "schema_version": SCHEMA_VERSION, "grade_id": id,
        "grade": False, "solution": False, "locked": False, "task": False, **marks,
    }  # fmt: skip
    locked = {} if nbgrader["solution"] else {"editable": False}
    return {"nbgrader": nbgrader, "deletable": False, **locked}


def _markdown(id: str, text: str, metadata: dict[str, object] | None = None) -> dict:
    return {"cell_type": "markdown", "id": id, "metadata": metadata or {}, "source": text.splitlines(keepends=True)}


def _code(id: str, code: str, metadata: dict[str, object] | None = None) -> dict:
    return {
        "cell_type": "code", "execution_count": None, "id": id, "metadata": metadata or {}, "outputs": [],
        "source": code.splitlines(keepends=True),
    }  # fmt: skip


def _prose(id: str, text: str) -> dict:
    return _markdown(id, folded(text).strip())


def _snippet(id: str, code: str) -> dict:
    """A cell to run and to change. While a function is not written, it says so, and the cells below run all the same."""
    return _code(id, textwrap.dedent(code), {"tags": ["raises-exception"]})


def _given(id: str, code: str) -> dict:
    return _code(id, code, _marks(id, locked=True))


def _solution(id: str, code: str) -> dict:
    return _code(id, code, _marks(id, solution=True))


def _check(task: Task) -> dict:
    id = check_id(task)
    code = f'course.check("{task.id}")  # the public checks of this task; the hidden ones run when you submit'
    return _code(id, code, _marks(id, grade=True, locked=True, points=task.points))


def _question(question: Question) -> Iterator[dict]:
    text = f"## Question: {question.title}\n\n{question.worth}, read by a person · a few sentences\n\n{question.text.strip()}"
    yield _prose(_id("question", question.id, "text"), text)
    id = question_id(question)
    yield _markdown(id, ANSWER_HERE, _marks(id, grade=True, solution=True, points=question.points))


# --- the handout --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sections:
    """The handout: what stands before the tasks, a section for each task, what follows."""

    before: list[str]
    tasks: dict[str, list[str]]
    after: list[str]


def _sections(assignment: Assignment) -> _Sections:
    path = assignment.public / "README.md"
    if not path.is_file():
        raise AuthoringError(f"{path}: the handout is missing")
    tasks = assignment.manifest.tasks
    found = _Sections([], {task.id: [] for task in tasks}, [])
    where = found.before
    known = {name: task.id for task in tasks for name in (*task.functions, task.id)}
    for text in _headed(read_authored(path)):
        text = in_notebook(text, known)
        if text.startswith("## Submit"):
            text = handing_in(text, assignment.manifest.module)
        if match := _TASK_HEADING.match(text):
            number = int(match[1])
            if not 1 <= number <= len(tasks):
                raise AuthoringError(f"{path}: a section Task {number}, but there are {len(tasks)} tasks")
            where = found.tasks[tasks[number - 1].id]
        elif where is not found.before:
            where = found.after
        where.append(text)
    for number, task in enumerate(tasks, start=1):
        if not found.tasks[task.id]:
            raise AuthoringError(f"{path}: there is no section ## Task {number} for the task {task.id}")
    return found


def _headed(text: str) -> Iterator[str]:
    """The parts of a Markdown text, each with the heading of level 2 that it begins with."""
    part: list[str] = []
    fence = ""
    for line in text.splitlines():
        mark = line.lstrip()[:3]
        if mark in ("```", "~~~") and (not fence or mark == fence):
            fence = "" if fence else mark
        if not fence and line.startswith("## "):
            yield _trimmed(part)
            part = []
        part.append(line)
    yield _trimmed(part)


def _trimmed(lines: Sequence[str]) -> str:
    """Without blank lines around it, nor a rule at its end, which the border between two cells replaces."""
    return re.sub(r"\n-{3,}\s*\Z", "", "\n".join(lines).strip()).strip()


# --- the code -----------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Unit:
    """A statement at the top level of the stub, with the comment above it.

    `tasks`: whose code is cut from it. `blank`: how many blank lines stand above it, two at most.
    """

    text: str
    blank: int
    node: ast.stmt
    names: Names
    tasks: tuple[str, ...]

    @property
    def name(self) -> str:
        return getattr(self.node, "name", "")


def _units(stub: str) -> Iterator[_Unit]:
    tree = ast.parse(stub)
    lines = stub.splitlines()
    postponed = "from __future__ import annotations\n" if "\nfrom __future__ import annotations" in stub else ""
    done = 0
    for node in tree.body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        between = lines[done : first - 1]
        comment = _comment(between)
        blank = min(2, next((i for i, line in enumerate(between) if line.strip()), len(between)))
        done = node.end_lineno
        if ast.get_docstring(tree) is not None and node is tree.body[0]:
            continue
        code = "\n".join(lines[first - 1 : node.end_lineno])
        yield _Unit(comment + code, blank, node, names_of(postponed + code), tuple(dict.fromkeys(_cut_from(node))))


def _cut_from(node: ast.AST) -> Iterator[str]:
    """The tasks whose code is cut from a statement, in the order of its lines."""
    for inner in ast.walk(node):
        call = inner.exc if isinstance(inner, ast.Raise) else None
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
            if match := _CUT.fullmatch(str(call.args[0].value)):
                yield match[1]


def _comment(lines: Sequence[str]) -> str:
    """The comments between two statements, without those that only divide the file into tasks."""
    kept: list[str] = []
    for number, line in enumerate(lines):
        between = 0 < number < len(lines) - 1 and _RULE.match(lines[number - 1]) and _RULE.match(lines[number + 1])
        if not (_RULE.match(line) or _HEADING.match(line) or between):
            kept.append(line)
    text = re.sub(r"\A(#\s*\n|\s*\n)+", "", "\n".join(kept) + "\n")
    return text if text.strip("#\n ") else ""


def _tasks(sections: _Sections, plan: _Plan) -> Iterator[dict]:
    """The cells of all tasks, in the order in which the stub first cuts their code."""
    for step in plan.steps:
        text, seen = split_at_see("\n\n".join(sections.tasks[step.task.id]))
        yield _prose(_id(step.task.id, "text"), text)
        if step.given:
            yield _given(_id(step.task.id, "given"), _joined(step.given))
        if step.elsewhere:
            yield _prose(_id(step.task.id, "where"), step.elsewhere)
        for unit in step.units:
            yield _solution(_id(step.task.id, unit.name or "code"), unit.text)
        yield _check(step.task)
        for number, part in enumerate(seen, start=1):
            id = _id("see", step.task.id, str(number))
            yield _snippet(id, part.text) if part.code else _prose(id, part.text)
    if plan.rest:
        yield _given("given-rest", _joined(plan.rest))


def _head(assignment: Assignment, sections: _Sections, plan: _Plan) -> Iterator[dict]:
    first, *rest = sections.before
    module = assignment.manifest.module
    yield _prose("title", first)
    yield _prose("how-to", _HOW_TO.format(module=module))
    yield _given("setup", _setup(module))
    for text in rest:
        yield _prose(_slug(text), text)
    if plan.docstring:
        yield _prose("about-the-code", f"## About the code\n\n{plan.docstring}")
    if plan.head:
        yield _given("given", _joined(plan.head))


def _tail(assignment: Assignment, sections: _Sections) -> Iterator[dict]:
    figures = _figures(assignment)
    asked = False
    for text in sections.after:
        last = text.startswith(("## Submit", "## Source", "## Read", "## On a GPU"))
        if last and not asked:
            for question in assignment.manifest.questions:
                yield from _question(question)
            asked = True
        yield _prose(_slug(text), text)
        if text.startswith("## Look at it"):
            for name in figures:
                yield _code(_id("figure", name), f'course.figure("{name}")')
            figures = []
    for name in figures:
        yield _code(_id("figure", name), f'course.figure("{name}")')
    if not asked:
        for question in assignment.manifest.questions:
            yield from _question(question)


def _figures(assignment: Assignment) -> list[str]:
    """Names of the figures that `figures.py` registers, read from its text: it may take long to import."""
    path = assignment.public / "figures.py"
    if not path.is_file():
        return []
    found = []
    for node in parse_python(read_authored(path), path).body:
        for call in getattr(node, "decorator_list", ()):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "figure" and call.args:
                if isinstance(call.args[0], ast.Constant):
                    found.append(call.args[0].value)
    return found


def _joined(units: Iterable[_Unit]) -> str:
    """Their text as one cell, with the blank lines that stood above each."""
    return "".join("\n" * unit.blank + "\n" + unit.text for unit in units).strip("\n")


# --- what stands where --------------------------------------------------------------------------------------


@dataclass
class _Step:
    """One task: code that must stand before it, its own, and where the rest of it stands."""

    task: Task
    given: list[_Unit] = field(default_factory=list)
    units: list[_Unit] = field(default_factory=list)
    elsewhere: str = ""


@dataclass
class _Plan:
    docstring: str
    head: list[_Unit]
    steps: list[_Step]
    rest: list[_Unit]


def _plan(assignment: Assignment) -> _Plan:
    """Which code goes into which cell.

    A notebook runs from top to bottom, with checks in between. So code that the stub gives comes before the first
    task that may need it: helpers whose names begin with an underscore at the head, other code where the file has
    it, or earlier if the reference or the public checks of an earlier task use it.
    """
    stub = build_stub(assignment)
    units = list(_units(stub))
    manifest = assignment.manifest
    steps: dict[str, _Step] = {}
    for unit in units:
        if unit.tasks:
            steps.setdefault(unit.tasks[0], _Step(manifest.task(unit.tasks[0]))).units.append(unit)
    ordered = list(steps.values())
    for task in manifest.tasks:
        if task.id not in steps:
            hosts = [unit for unit in units if task.id in unit.tasks]
            if not hosts:
                raise AuthoringError(f"{assignment.reference}: nothing is cut for the task {task.id}")
            place = max(i for i, step in enumerate(ordered) if set(step.units) & set(hosts))
            while place + 1 < len(ordered) and not ordered[place + 1].units:
                place += 1
            ordered.insert(place + 1, _Step(task))
    for step in ordered:
        step.elsewhere = _elsewhere(step, units)
    head, rest = _place_given(assignment, units, ordered)
    return _Plan(ast.get_docstring(ast.parse(stub)) or "", head, ordered, rest)


def _elsewhere(step: _Step, units: Sequence[_Unit]) -> str:
    """A line on what of a task stands in another task's cell, as the methods of a class do."""
    lines = []
    for unit in units:
        if step.task.id in unit.tasks and unit not in step.units:
            methods = [
                inner.name
                for inner in ast.walk(unit.node)
                if isinstance(inner, ast.FunctionDef) and inner is not unit.node and step.task.id in _cut_from(inner)
            ]
            what = ", ".join(f"`{name}`" for name in methods) or "the part of this task"
            lines.append(f"**`{unit.name}` stands in the cell of an earlier task**: write {what} there.")
    return "\n\n".join(lines)


def _place_given(
    assignment: Assignment, units: Sequence[_Unit], steps: Sequence[_Step]
) -> tuple[list[_Unit], list[_Unit]]:
    """Give every step the code that stands before it; return what stands at the head and what is left at the end."""
    needs = _needs(assignment, [step.task.id for step in steps])
    order = [unit for step in steps for unit in step.units]
    ends = {unit: number for number, step in enumerate(steps) for unit in step.units}
    head: list[_Unit] = []
    rest: list[_Unit] = []
    defined: set[str] = set()
    for number, unit in enumerate(units):
        if unit.tasks:
            continue
        following = next((later for later in units[number:] if later.tasks), None)
        place = ends[following] if following else len(steps)
        if not any(earlier.tasks for earlier in units[:number]) or unit.name.startswith("_"):
            place = -1
        else:
            needed = [i for i, step in enumerate(steps) if unit.names.binds & needs[step.task.id]]
            place = min([place, *needed])
        after = [ends[other] for other in order if other.names.binds & unit.names.now - defined]
        place = max([place, *(i + 1 for i in after)])
        if place == -1:
            head.append(unit)
            defined |= unit.names.binds
        elif place < len(steps):
            steps[place].given.append(unit)
        else:
            rest.append(unit)
    return head, rest


def _needs(assignment: Assignment, tasks: Sequence[str]) -> dict[str, set[str]]:
    """For each task, all names that its functions in the reference and its public checks use, through one another."""
    uses: dict[str, frozenset[str]] = {}
    roots: dict[str, set[str]] = {task: set() for task in tasks}
    reference = parse_python(read_authored(assignment.reference), assignment.reference)
    for node in reference.body:
        names = names_of(ast.unparse(node)) if not isinstance(node, ast.ImportFrom) else Names()
        for name in names.binds:
            uses[name] = names.now | names.later
    for task in assignment.manifest.tasks:
        if task.id in roots:
            roots[task.id] |= {function.partition(".")[0] for function in task.functions}
    if (tests := assignment.public_tests).is_file():
        for task, names in _checked(parse_python(read_authored(tests), tests)):
            roots.setdefault(task, set()).update(names)
    for found in roots.values():
        pending = list(found)
        while pending:
            more = uses.get(pending.pop(), frozenset()) - found
            found |= more
            pending += more
    return roots


def _checked(tests: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """Each public check's task, and the attributes that it and its helpers ask for: `impl.transformer` is one."""
    functions = {node.name: node for node in tests.body if isinstance(node, ast.FunctionDef)}

    def asked(node: ast.FunctionDef, seen: set[str]) -> set[str]:
        names = {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id in functions and inner.id not in seen:
                seen.add(inner.id)
                names |= asked(functions[inner.id], seen)
        return names

    for node in functions.values():
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "tags" and call.args:
                if isinstance(call.args[0], ast.Constant):
                    yield call.args[0].value, asked(node, {node.name})
