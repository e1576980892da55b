"""What can be said about the checks from their text: decorators, points, fixtures, imports."""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coursekit.functions import CheckFile, Function

from gradkit.examine.sources import Fault, Sources, defined, imports, line_of
from gradkit.manifest import Assignment

FIXTURES = ("impl", "rng", "torch_rng", "device", "vjp")
HIDDEN_FIXTURES = ("agree", "reference")
PYTEST_FIXTURES = frozenset(
    "capfd capfdbinary capsys capsysbinary monkeypatch pytestconfig record_property recwarn request subtests tmp_path "
    "tmp_path_factory".split()
)  # those that the judge's pytest has too
STUDENTS_LIBRARIES = frozenset(
    "numpy torch matplotlib pytest gradescope_utils regex coursekit".split()
)  # what the bundle's requirements.txt installs
_DECORATORS = {"number": 'number("1.1")', "weight": "weight(1)", "tags": 'tags("task")'}


@dataclass(frozen=True)
class WrittenCheck:
    """A check as its text stands.

    Attributes:
        given: What its decorators `number`, `weight` and `tags` say first; None where that is not written out.
        takes: Its parameters that pytest must fill in, without those that `parametrize` gives.
        unused: Names that `parametrize` gives and the function does not take.
    """

    path: Path
    line: int
    name: str
    given: dict[str, object]
    claim: str
    takes: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def task(self) -> object:
        return self.given.get("tags")


def check_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """What is wrong with the two files of checks, and with their points."""
    files = {path: sources.tree(path) for path in (assignment.public_tests, assignment.hidden_tests)}
    checks: list[WrittenCheck] = []
    for path, tree in files.items():
        if tree is not None:
            here = list(written_checks(path, tree))
            checks += here
            yield from _import_faults(assignment, path, tree)
            yield from _fixture_faults(path, tree, here, hidden=path == assignment.hidden_tests)
            yield from _repeated(here)
    yield from _decorator_faults(assignment, checks)
    yield from _number_faults(checks)
    yield from _points_faults(assignment, sources, checks, complete=None not in files.values())


def written_checks(path: Path, tree: ast.Module) -> Iterator[WrittenCheck]:
    """The checks in a file: its functions called `test_…`, and such methods of its classes called `Test…`."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from (_written(path, part, 1) for part in node.body if _is_check(part))
        elif _is_check(node):
            yield _written(path, node, 0)


def _is_check(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test")


def _written(path: Path, node: ast.FunctionDef, skip: int) -> WrittenCheck:
    given: dict[str, object] = {}
    parameters: set[str] = set()
    for call in (part for part in node.decorator_list if isinstance(part, ast.Call)):
        name = _called(call.func)
        if name in _DECORATORS and call.args:
            given[name] = _literal(call.args[0])
        elif name == "parametrize" and call.args and not any(key.arg == "indirect" for key in call.keywords):
            names = _literal(call.args[0])
            parameters |= {part.strip() for part in names.split(",")} if isinstance(names, str) else set(names or ())
    required = [part.arg for part in node.args.posonlyargs + node.args.args]
    required = required[skip : len(required) - len(node.args.defaults)]
    required += [
        part.arg for part, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value is None
    ]
    taken = {part.arg for part in node.args.posonlyargs + node.args.args + node.args.kwonlyargs}
    return WrittenCheck(
        path,
        node.lineno,
        node.name,
        given,
        (ast.get_docstring(node) or "").strip(),
        tuple(name for name in required if name not in parameters),
        tuple(sorted(parameters - taken)),
    )


def _called(function: ast.expr) -> str:
    """`parametrize` for `pytest.mark.parametrize`."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


# ---- decorators, numbers, points


def _decorator_faults(assignment: Assignment, checks: list[WrittenCheck]) -> Iterator[Fault]:
    tasks = [task.id for task in assignment.manifest.tasks]
    for check in checks:
        for name, example in _DECORATORS.items():
            if name not in check.given:
                yield Fault(f"{check.place}: {check.name} needs @{example}")
            elif check.given[name] is None:
                yield Fault(f"{check.place}: @{name} of {check.name} must be written out, such as @{example}")
        if check.task is not None and check.task not in tasks:
            yield Fault(
                f"{check.place}: the first tag of {check.name} must be a task, got {check.task!r}; tasks: {', '.join(tasks)}"
            )
        if not isinstance(weight := check.given.get("weight", 1) or 1, (int, float)) or weight < 0:
            yield Fault(f"{check.place}: @weight of {check.name} must be a number of points, got {weight!r}")
        if not check.claim:
            yield Fault(f"{check.place}: {check.name} needs a docstring that states its claim")
        for name in check.unused:
            yield Fault(f"{check.place}: parametrize gives {name}, which {check.name} does not take")


def _number_faults(checks: list[WrittenCheck]) -> Iterator[Fault]:
    first: dict[str, WrittenCheck] = {}
    for check in checks:
        if (number := check.given.get("number")) is None:
            continue
        if (other := first.setdefault(str(number), check)) is not check:
            yield Fault(
                f"{check.place}: number {number} of {check.name} is {other.name}'s too ({other.path.name}:{other.line}); "
                "give each its own"
            )


def _repeated(checks: list[WrittenCheck]) -> Iterator[Fault]:
    first: dict[str, WrittenCheck] = {}
    for check in checks:
        if (other := first.setdefault(check.name, check)) is not check:
            yield Fault(
                f"{check.place}: {check.name} is defined on line {other.line} too, and only the last one runs; rename one"
            )


def _points_faults(
    assignment: Assignment, sources: Sources, checks: list[WrittenCheck], *, complete: bool
) -> Iterator[Fault]:
    """Tasks whose checks don't add up to their points, or that have no check to run; a total that is not 100."""
    manifest = assignment.public / "assignment.toml"
    text = sources.text(manifest)
    if assignment.manifest.points != 100:
        yield Fault(
            f"{manifest}: the tasks' points add up to {assignment.manifest.points}, not 100; change their points"
        )
    if not complete:
        return
    for task in assignment.manifest.tasks:
        line = line_of(text, f'id = "{task.id}"')
        own = [check for check in checks if check.task == task.id]
        for hidden, path in ((False, assignment.public_tests), (True, assignment.hidden_tests)):
            if not any(check.path == path for check in own):
                kind = "hidden" if hidden else "public"
                yield Fault(f'{path}: task {task.id} has no {kind} check; write one with @tags("{task.id}")', False)
        weights = [check.given.get("weight") for check in own]
        total = sum(weight for weight in weights if isinstance(weight, (int, float)))
        if own and None not in weights and total != task.points:
            yield Fault(
                f"{manifest}:{line}: task {task.id} has {task.points} points but its checks weigh {total:g}; "
                "change its points, or the @weight of its checks"
            )


# ---- fixtures


def _fixture_faults(path: Path, tree: ast.Module, checks: list[WrittenCheck], *, hidden: bool) -> Iterator[Fault]:
    """Fixtures that are not there, once each; in a public check, those that only staff have."""
    own = dict(_own_fixtures(tree))
    ours = FIXTURES + (HIDDEN_FIXTURES if hidden else ())
    known = {*ours, *own, *PYTEST_FIXTURES}
    users: dict[str, list[tuple[int, str]]] = {}
    for line, name, takes in [
        *((check.line, check.name, check.takes) for check in checks),
        *((node.lineno, name, _parameters(node)) for name, node in own.items()),
    ]:
        for wanted in takes:
            if wanted not in known:
                users.setdefault(wanted, []).append((line, name))
    for wanted, places in users.items():
        line, name = places[0]
        more = f" (as do {len(places) - 1} more)" if len(places) > 1 else ""
        if wanted in HIDDEN_FIXTURES:
            yield Fault(
                f"{path}:{line}: {name} takes {wanted}{more}, which only hidden checks have; "
                "compare with a value worked out by hand"
            )
            continue
        near = difflib.get_close_matches(wanted, known, n=1)
        advice = f"; did you mean {near[0]}?" if near else ""
        yield Fault(
            f"{path}:{line}: {name} takes {wanted}{more}, which is no fixture; there are {', '.join([*ours, *own])}{advice}"
        )
    for check in checks:
        if not {"impl", "agree"} & _closure(check.takes, own) and set(check.takes) <= known:
            yield Fault(
                f"{check.place}: {check.name} takes neither impl nor agree, so that no submission can fail it"
                if hidden
                else f"{check.place}: {check.name} does not take impl, so that no submission can fail it"
            )


def _own_fixtures(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        for part in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if _called(part.func if isinstance(part, ast.Call) else part) == "fixture":
                names = [_literal(key.value) for key in getattr(part, "keywords", ()) if key.arg == "name"]
                yield (names[0] if names and isinstance(names[0], str) else node.name), node


def _parameters(node: ast.FunctionDef) -> tuple[str, ...]:
    return tuple(part.arg for part in node.args.args[: len(node.args.args) - len(node.args.defaults)])


def _closure(names: tuple[str, ...], own: dict[str, ast.FunctionDef]) -> set[str]:
    """The fixtures that are set up for these, through the file's own."""
    found, left = set(names), list(names)
    while left:
        if (node := own.get(left.pop())) is not None:
            new = set(_parameters(node)) - found
            found |= new
            left += new
    return found


# ---- imports


def _import_faults(assignment: Assignment, path: Path, tree: ast.Module) -> Iterator[Fault]:
    """Imports that let the checks see what they must not, or that are not there for students."""
    public = path == assignment.public_tests
    for line, name in imports(tree):
        top = name.lstrip(".").partition(".")[0]
        if top == assignment.module_name or name.startswith("."):
            yield Fault(
                f"{path}:{line}: imports {name}: take the fixture impl, which is the submission"
                + ("" if public else ", or reference")
            )
        elif top in ("solutions", "assignments", "test_hidden", assignment.public_tests.stem):
            yield Fault(
                f"{path}:{line}: imports {name}: each file of checks stands by itself; copy the helper that it needs"
            )
        elif public and top == "gradkit":
            yield Fault(
                f"{path}:{line}: imports {name}, which students don't have; coursekit is what they share with the grader"
            )
        elif public and top not in STUDENTS_LIBRARIES and top not in sys.stdlib_module_names:
            yield Fault(
                f"{path}:{line}: imports {name}, which students don't have; there are {', '.join(sorted(STUDENTS_LIBRARIES))}"
            )


# ---- a check of its own for each function


def own_check_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """Functions without a public check that names them and nothing else that students write.

    With one, a student is told of a function as soon as it is written, whatever else is.
    """
    reference = sources.tree(assignment.reference)
    if sources.tree(assignment.public_tests) is None or reference is None:
        return
    there, confirmed = defined(reference), confirmable(assignment, sources)
    for function in functions_to_write(assignment):
        if function in confirmed or function.name not in there:
            continue
        task, name = function
        owner, _, method = name.partition(".")
        named = f"impl.{owner}" + (f" and .{method}" if method else "")
        yield Fault(
            f"{assignment.public_tests}: {name} of task {task} has no public check of its own; "
            f"write one that names {named} and no other function that students write",
            blocks=False,
        )


def functions_to_write(assignment: Assignment) -> list[Function]:
    """What the tasks ask for, in the manifest's order."""
    return [Function(task.id, name) for task in assignment.manifest.tasks for name in task.functions]


def confirmable(assignment: Assignment, sources: Sources) -> set[Function]:
    """The functions that have a public check of their own, which needs no GPU."""
    file, known = CheckFile(sources.text(assignment.public_tests)), functions_to_write(assignment)
    about = [
        case.functions(known, task)
        for check, task in file.checks.items() if not file.needs_gpu(check)
        for case in file.cases(check)
    ]  # fmt: skip
    return {names[0] for names in about if len(names) == 1}


# ---- tolerances


def tolerance_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """`agree("f", x, rtol=…)` where f has no such parameter: what `agree` does not know goes to the submission's f."""
    tests, reference = sources.tree(assignment.hidden_tests), sources.tree(assignment.reference)
    if tests is None or reference is None or not re.search(r"\b[ra]tol=", sources.text(assignment.hidden_tests)):
        return
    parameters = {
        node.name: {part.arg for part in node.args.args + node.args.kwonlyargs}
        for node in reference.body
        if isinstance(node, ast.FunctionDef)
    }
    for call in (node for node in ast.walk(tests) if isinstance(node, ast.Call)):
        if not (ast.unparse(call.func) in ("agree", "agree.vjp") and call.args):
            continue
        takes = parameters.get(_literal(call.args[0]), set())
        for key in call.keywords:
            if key.arg in ("rtol", "atol") and key.arg not in takes:
                yield Fault(
                    f"{assignment.hidden_tests}:{call.lineno}: agree passes {key.arg} on to the submission; "
                    "write tol=(rtol, atol)",
                    False,
                )
