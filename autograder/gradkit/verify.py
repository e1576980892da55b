"""Holds an assignment to its promises, with its mistakes as the test of its tests.

Every variant of the reference (the stub, each known mistake, each vandal, each second solution) is graded as a submission,
in the sandbox. What comes of it is the kill matrix: which checks fail on which variant.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradkit.errors import AuthoringError
from gradkit.grading import Grade, JudgeClient, scratch_folder
from gradkit.judge.staff import reach, uses
from gradkit.lint import find_banned
from gradkit.manifest import Assignment
from gradkit.markers import check_weights
from gradkit.mistakes import read_mistakes, read_source
from gradkit.model import Check, CheckResult, Graded, Outcome
from gradkit.stubs import build_stub

VANDALS = (
    "zeros", "nan", "negated", "halved", "doubled", "transposed", "other_dtype", "first_input", "noise", "errors_swallowed",
)  # fmt: skip

# Appended to the reference. Only the outermost call is changed, or two negations would cancel.
_VANDALISE = """

import functools as _functools

_vandal_depth = 0


def _vandalise(function, change, swallow):
    @_functools.wraps(function)
    def wrapper(*args, **kwargs):
        global _vandal_depth
        _vandal_depth += 1
        try:
            result = function(*args, **kwargs)
        except NotImplementedError:
            raise
        except Exception:  # the damage that `errors_swallowed` does
            if swallow and _vandal_depth == 1:
                return None
            raise
        finally:
            _vandal_depth -= 1
        if _vandal_depth or swallow or change is None:
            return result
        return change(result, args)

    return wrapper


def _vandal_map(value, leaf):
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(_vandal_map(item, leaf) for item in value)
    if isinstance(value, dict):
        return {key: _vandal_map(item, leaf) for key, item in value.items()}
    return leaf(value)


def _vandal_number(value):
    kind = type(value).__module__ + "." + type(value).__name__
    return isinstance(value, (int, float)) and not isinstance(value, bool) or kind in ("numpy.ndarray", "torch.Tensor", "torch.nn.parameter.Parameter") or kind.startswith("numpy.")


def _vandal_real(value):
    return _vandal_number(value) and ("float" in str(getattr(value, "dtype", type(value))))


def _vandal_leaf(kind):
    def leaf(value):
        import numpy
        if isinstance(value, bool) and kind in ("negated", "zeros"):
            return not value if kind == "negated" else False
        if isinstance(value, (str, bytes)) and value and kind in ("zeros", "negated", "halved", "doubled"):
            return {"zeros": value[:0], "negated": value[::-1], "halved": value[: len(value) // 2], "doubled": value + value}[kind]
        if not _vandal_number(value):
            return value
        if kind == "zeros":
            return value * 0
        if kind == "negated":
            return -value if "bool" not in str(getattr(value, "dtype", "")) else ~value
        if kind == "doubled":
            return value * 2
        if kind == "halved":
            return value / 2 if _vandal_real(value) else value // 2
        if kind == "transposed":
            return value.swapaxes(-1, -2) if getattr(value, "ndim", 0) >= 2 else value
        if not _vandal_real(value):
            return value
        if kind == "nan":
            return value * float("nan")
        if kind == "noise":
            if isinstance(value, float):
                return value * 1.01 + 1e-3
            flat = numpy.arange(value.shape.numel() if hasattr(value.shape, "numel") else value.size) % 2 * 2.0 - 1.0
            scale = abs(value).max() if len(flat) else 0
            wave = flat.reshape(tuple(value.shape))
            if type(value).__module__ == "torch":
                import torch
                wave = torch.from_numpy(wave).to(value)
            return value + 0.01 * (scale + 0.1) * wave
        if kind == "other_dtype" and hasattr(value, "dtype"):
            if type(value).__module__ == "torch":
                import torch
                return value.to(torch.float64 if value.dtype != torch.float64 else torch.float32)
            return value.astype(numpy.float64 if value.dtype != numpy.float64 else numpy.float32)
        return value

    return leaf


def _vandal_change(kind):
    if kind == "first_input":
        return lambda result, args: next((arg for arg in args if _vandal_number(arg) and hasattr(arg, "shape")), result)
    if kind == "errors_swallowed":
        return None
    leaf = _vandal_leaf(kind)
    return lambda result, args: _vandal_map(result, leaf) if result is not None else None


def _vandalise_all(names, kind):
    change, swallow = _vandal_change(kind), kind == "errors_swallowed"
    for name in names:
        owner, _, method = name.partition(".")
        thing = globals()[owner]
        if not isinstance(thing, type):
            globals()[owner] = _vandalise(thing, change, swallow)
            continue
        for attribute, function in list(vars(thing).items()):
            if method and attribute != method or isinstance(function, type):
                continue
            public = not attribute.startswith("_") or attribute in ("__call__", method)
            chosen = change if public else None
            if isinstance(function, (staticmethod, classmethod)):
                setattr(thing, attribute, type(function)(_vandalise(function.__func__, chosen, swallow)))
            elif callable(function) and attribute not in ("__new__", "__getattribute__", "__setattr__", "__getattr__", "__hash__"):
                setattr(thing, attribute, _vandalise(function, chosen, swallow and (public or attribute == "__init__")))
        if not method and not swallow:
            _vandalise_attributes(thing, change)


def _vandalise_attributes(thing, change):
    read = thing.__getattribute__

    def changed(self, name):
        value = read(self, name)
        return value if _vandal_depth or name.startswith("_") or callable(value) else change(value, ())

    thing.__getattribute__ = changed

"""


@dataclass(frozen=True)
class Variant:
    """A submission made from staff's files."""

    name: str
    kind: str  # reference, stub, mistake, vandal, alternative
    source: str
    replaces: tuple[str, ...] = ()  # names of the reference that a mistake puts others in place of


@dataclass
class Report:
    """What came of one assignment."""

    assignment: str
    checks: list[Check]
    rows: dict[str, tuple[Variant, Graded]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seeds: int = 0

    @property
    def holds(self) -> bool:
        return not self.problems

    def summary(self) -> str:
        """One line: what was shown, or how much is wrong."""
        if not self.holds:
            return f"{len(self.problems)} problems"
        kinds = [variant.kind for variant, _ in self.rows.values()]
        reference = self.rows["reference"][1]
        not_run = sum(result.check.points for result in reference.results if not result.ran)
        here = f" (checks of {not_run:g} points need a GPU and were not run)" if not_run else ""
        return (
            f"stub 0, reference {reference.score:g} on {self.seeds} seeds{here}, "
            f"{kinds.count('alternative')} other solutions at full marks, {kinds.count('mistake')} mistakes each with its own hint, "
            f"{kinds.count('vandal')} vandals caught"
        )


def variants(assignment: Assignment) -> Iterator[Variant]:
    """Everything besides the reference itself that is graded once."""
    reference = read_source(assignment.reference)
    yield Variant("stub", "stub", build_stub(assignment))
    for path in assignment.alternatives():
        yield Variant(path.stem, "alternative", read_source(path))
    for mistake in read_mistakes(assignment):
        yield Variant(mistake.name, "mistake", mistake.submission(reference), mistake.replaces)
    names = [name for task in assignment.manifest.tasks for name in task.functions]
    for vandal in VANDALS:
        yield Variant(vandal, "vandal", f"{reference}{_VANDALISE}\n_vandalise_all({names!r}, {vandal!r})\n")


def verify(
    root: Path,
    assignment: Assignment,
    *,
    seeds: int = 20,
    seed: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> Report:
    """Grade every variant and say which promises do not hold.

    Args:
        root: The kit.
        assignment: Which one.
        seeds: On how many seeds the reference must get full marks.
        seed: The first of them.
        tell: Takes one line per variant as it is graded.
    """
    problems = _check_sources(assignment)
    if problems:
        return Report(assignment.id, [], problems=problems)
    reference = Variant("reference", "reference", read_source(assignment.reference))
    with scratch_folder() as scratch:
        runs = _Runs(assignment, scratch, tell)
        with JudgeClient(root, assignment.id, scratch, diagnose=False, compare=True) as judge:
            report = Report(assignment.id, judge.checks, seeds=seeds)
            report.problems += check_weights(assignment, judge.checks)
            graded = runs.grade(judge, reference, seed)
            report.rows["reference"] = reference, graded
            runs.learn(graded, reference.source)
            for variant in variants(assignment):
                if variant.kind == "vandal":
                    report.rows[variant.name] = variant, runs.grade(judge, variant, seed)
        with JudgeClient(root, assignment.id, scratch) as judge:
            for number in range(seeds):
                graded = runs.grade(judge, reference, seed + number)
                if graded.score != graded.max_score or graded.status != "graded":
                    report.problems.append(
                        f"the reference gets {_points(graded)} on seed {seed + number}: {_failing(graded)}"
                    )
            for variant in variants(assignment):
                if variant.kind != "vandal":
                    report.rows[variant.name] = variant, runs.grade(judge, variant, seed)
    report.problems += _judge_rows(report)
    return report


class _Runs:
    """Grades variants. A mistake is run on the checks that can notice it: the others can't tell it from the reference."""

    def __init__(self, assignment: Assignment, scratch: Path, tell: Callable[[str], None]) -> None:
        self._assignment, self._scratch, self._tell = assignment, scratch, tell
        self._count = 0
        self._reference: Graded | None = None
        self._reached: dict[str, set[str]] = {}  # by check, the reference's names that its calls lead to

    def learn(self, reference: Graded, source: str) -> None:
        """Take note of what each check calls, from the reference's grade."""
        by_name = uses(source)
        self._reference = reference
        for result in reference.results:
            called = {name for case in result.cases for name in case.used}
            self._reached[result.check.id] = reach(called, by_name)

    def grade(self, judge: JudgeClient, variant: Variant, seed: int) -> Graded:
        self._count += 1
        folder = self._scratch / f"variant-{self._count}"
        folder.mkdir(mode=0o755)
        module = folder / self._assignment.manifest.module
        module.write_text(variant.source, encoding="utf-8")
        module.chmod(0o644)
        checks = self._concerned(judge.checks, variant)
        grade = Grade(
            Graded(variant.name, self._assignment.id, "graded", seed=seed, isolation=judge.isolation), checks
        )
        graded = grade.finish(judge.grade(module, seed, grade.add, checks=[check.id for check in checks]))
        if len(checks) < len(judge.checks):
            ran = {result.check.id: result for result in graded.results}
            graded = replace(
                graded, results=tuple(ran.get(result.check.id, result) for result in self._reference.results)
            )
        self._tell(
            f"{self._assignment.id}: {variant.kind} {variant.name}, seed {seed}: {_points(graded)}, {graded.elapsed_s:.2f} s"
        )
        return graded

    def _concerned(self, checks: list[Check], variant: Variant) -> list[Check]:
        if variant.kind != "mistake":
            return checks
        return [check for check in checks if self._reached[check.id] & set(variant.replaces)]


def _check_sources(assignment: Assignment) -> list[str]:
    """What can be said without running anything."""
    problems = []
    defined = {
        node.name
        for node in ast.parse(read_source(assignment.reference)).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    for task in assignment.manifest.tasks:
        problems += [
            f"{assignment.reference}: task {task.id} names {name}, which is not defined"
            for name in task.functions
            if name.partition(".")[0] not in defined
        ]
    for path in (assignment.reference, *assignment.alternatives()):
        problems += [
            finding.text(f"{path}:{finding.line}")
            for finding in find_banned(read_source(path), assignment.manifest)
        ]
    if len(assignment.mistakes()) == 0:
        problems.append(
            f"{assignment.hidden / 'mistakes'}: holds no mistake; each is a hint for students and a test of the checks"
        )
    stub = assignment.stub
    try:
        if not stub.is_file() or stub.read_text(encoding="utf-8") != build_stub(assignment):
            problems.append(f"{stub}: stale; run gradkit build {assignment.id}")
    except AuthoringError as error:
        problems.append(str(error))
    return problems


def _judge_rows(report: Report) -> list[str]:
    """The promises about what each variant gets."""
    problems = []
    reference = report.rows["reference"][1]
    killed_by_mistake: set[str] = set()
    for variant, graded in report.rows.values():
        faults = [
            case.summary
            for result in graded.results
            for case in result.cases
            if case.outcome is Outcome.GRADER_ERROR
        ]
        if faults:
            problems.append(f"{variant.kind} {variant.name}: {faults[0]}")
        if variant.kind == "stub" and graded.score != 0:
            passed = [result.check.id for result in graded.results if result.score]
            problems.append(f"the stub gets {_points(graded)}: {', '.join(passed)}")
        if variant.kind == "alternative" and graded.score != graded.max_score:
            problems.append(f"the second solution {variant.name} gets {_points(graded)}: {_failing(graded)}")
        if variant.kind == "mistake":
            killed_by_mistake |= killed(graded)
            hinted = {case.mistake for result in graded.results for case in result.cases if case.mistake}
            if graded.score >= reference.max_score:
                problems.append(f"mistake {variant.name} loses no points")
            if variant.name not in hinted:
                problems.append(
                    f"mistake {variant.name} does not get its own hint"
                    + (f", but that of {', '.join(sorted(hinted))}" if hinted else "")
                )
            elif others := hinted - {variant.name}:
                problems.append(f"mistake {variant.name} gets the hint of {', '.join(sorted(others))} too")
    for result in reference.results:
        if result.check.hidden and result.ran and result.check.id not in killed_by_mistake:
            problems.append(f"{result.check.id} fails on no mistake")
    for variant, graded in report.rows.values():
        if variant.kind == "vandal":
            problems += [
                f"{result.check.id} passes on the vandal {variant.name}"
                for result in graded.results
                if _overlooks(result)
            ]
    return problems


def _overlooks(result: CheckResult) -> bool:
    """Whether a hidden check passes although a vandal changed an answer in it."""
    changed = any(not case.alike for case in result.cases if case.outcome is not Outcome.NOT_RUN)
    return result.check.hidden and result.outcome is Outcome.PASSED and changed


def killed(graded: Graded) -> set[str]:
    """Ids of the checks that a variant fails."""
    return {
        result.check.id for result in graded.results if result.ran and result.outcome is not Outcome.PASSED
    }


def _points(graded: Graded) -> str:
    return f"{graded.score:g} of {graded.max_score:g}"


def _failing(graded: Graded) -> str:
    failing = [result for result in graded.results if result.ran and result.outcome is not Outcome.PASSED]
    return "; ".join(
        f"{result.check.id} ({next((case.summary for case in result.cases if case.summary), result.outcome.value)})"
        for result in failing[:3]
    )


def matrix(report: Report) -> str:
    """The kill matrix as text: a row per mistake and vandal, a column per check.

    `x` fails, `H` fails and shows the mistake's own hint, `.` passes, `=` the vandal changes nothing there.
    """
    lines = [f"{report.assignment}: {report.summary()}", ""]
    lines += [f"{number:>3}  {check.number:<5} {check.id}" for number, check in enumerate(report.checks, 1)]
    for kind, meaning in (
        ("mistake", "known mistakes"),
        ("vandal", "vandals: what the reference answers, damaged"),
    ):
        rows = [(variant, graded) for variant, graded in report.rows.values() if variant.kind == kind]
        width = max((len(variant.name) for variant, _ in rows), default=0)
        lines += ["", f"{meaning}, and the points they get"]
        for place in (100, 10, 1):
            digits = (
                f"{number // place % 10 if number >= place else ' '}"
                for number in range(1, len(report.checks) + 1)
            )
            if place <= len(report.checks):
                lines.append(" " * (width + 9) + "".join(digits))
        for variant, graded in rows:
            cells = "".join(_cell(result, variant) for result in graded.results)
            lines.append(f"{variant.name:<{width}} {graded.score:7.2f} {cells}")
    lines += [
        "",
        "x: fails; H: fails and shows the mistake's own hint; .: passes; =: the vandal changes nothing there",
    ]
    return "\n".join(lines) + "\n"


def _cell(result: CheckResult, variant: Variant) -> str:
    if result.outcome is Outcome.PASSED:
        return "=" if variant.kind == "vandal" and all(case.alike for case in result.cases) else "."
    return "H" if any(case.mistake == variant.name for case in result.cases) else "x"
