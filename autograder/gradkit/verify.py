"""Holds an assignment to its promises, with its mistakes as the test of its tests.

Every variant of the reference is graded as a submission: the stub, the second solutions and a sample of the mistakes in the
sandbox, each known mistake and each vandal in the judge's own process, where that takes milliseconds. What comes of it is
the kill matrix: which checks fail on which variant.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from coursekit.functions import reach

from gradkit.errors import InputError
from gradkit.examine.faults import static_faults
from gradkit.grading import Grade
from gradkit.judge.staff import REFERENCE, VANDAL, uses
from gradkit.judges import JudgeClient, scratch_folder
from gradkit.manifest import Assignment
from gradkit.mistakes import find_mistake, read_mistakes
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome
from gradkit.stubs import build_stub, read_authored
from gradkit.vandals import TRIVIAL, VANDALS

SAMPLE = 5  # mistakes that go through the sandbox too, chosen by the seed


@dataclass(frozen=True)
class Variant:
    """A submission made from staff's files.

    Attributes:
        name: The mistake's, the vandal's, the file's.
        kind: reference, stub, mistake, decoy, vandal, alternative; model is the reference in the judge's own process.
        source: The text that is handed in, where it goes through the sandbox.
        replaces: Names of the reference that a mistake puts others in place of.
        raises: A mistake is meant to raise where the reference answers.
        hinted: A mistake has a hint, which its student must read.
        task: Id of a mistake's task.
        costly: Why a mistake may cost more than a third of its task's points.
    """

    name: str
    kind: str
    source: str = ""
    replaces: tuple[str, ...] = ()
    raises: bool = False
    hinted: bool = True
    task: str = ""
    costly: str = ""

    @property
    def staff(self) -> str:
        """What the judge knows it by, where it is run in the judge's own process."""
        return {"mistake": self.name, "decoy": self.name, "vandal": VANDAL + self.name, "model": REFERENCE}.get(
            self.kind, ""
        )


@dataclass(frozen=True)
class Only:
    """What `verify` looks at where it does not look at all.

    Attributes:
        checks: Part of the names of the checks, or a number such as `2.1`.
        mistake: Name of one mistake.
    """

    checks: str = ""
    mistake: str = ""

    def __bool__(self) -> bool:
        return bool(self.checks or self.mistake)

    def chosen(self, checks: list[Check]) -> list[Check]:
        """The checks to run.

        Raises:
            InputError: When none is called so.
        """
        wanted = self.checks
        found = [check for check in checks if wanted in check.id or wanted == check.number]
        if not found:
            names = ", ".join(check.id.partition(":")[2] for check in checks)
            raise InputError(f"-k {wanted}: no check has that in its name; checks: {names}")
        return found


@dataclass
class Report:
    """What came of one assignment."""

    assignment: str
    checks: list[Check]
    tasks: dict[str, float] = field(default_factory=dict)  # points by id, in the manifest's order
    rows: dict[str, tuple[Variant, Graded]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seeds: int = 0
    only: Only = Only()

    @property
    def holds(self) -> bool:
        return not self.problems

    def summary(self) -> str:
        """One line: what was shown, or how much is wrong."""
        if not self.holds:
            return counted(len(self.problems), "problem")
        kinds = [variant.kind for variant, _ in self.rows.values()]
        if self.only:
            return f"{counted(len(self.checks), 'check')}, {counted(kinds.count('mistake'), 'mistake')}: no problem"
        reference = self.rows["reference"][1]
        not_run = sum(result.check.points for result in reference.results if not result.ran)
        here = f" (checks of {not_run:g} points need a GPU and were not run)" if not_run else ""
        return (
            f"stub 0, reference {reference.score:g} on {self.seeds} seeds{here}, "
            f"{kinds.count('alternative')} other solutions at full marks, {kinds.count('mistake')} mistakes each with its own hint, "
            f"{kinds.count('vandal')} vandals caught"
        )


def mistakes(assignment: Assignment, name: str = "") -> Iterator[Variant]:
    """Every known mistake, or the one called `name`, as a student would hand it in.

    Raises:
        InputError: When none is called so.
    """
    reference = read_authored(assignment.reference)
    known = read_mistakes(assignment)
    for mistake in [find_mistake(known, name, assignment.hidden / "mistakes")] if name else known:
        yield Variant(
            mistake.name,
            "decoy" if mistake.decoy else "mistake",
            mistake.submission(reference),
            mistake.replaces,
            mistake.raises,
            bool(mistake.hint),
            mistake.task,
            mistake.costly,
        )


def verify(
    root: Path,
    assignment: Assignment,
    *,
    seeds: int = 20,
    seed: int = 1,
    only: Only = Only(),
    tell: Callable[[str], None] = lambda line: None,
) -> Report:
    """Say what is wrong with an assignment's files; if nothing is, grade every variant and say which promises do not hold.

    Args:
        root: The kit.
        assignment: Which one.
        seeds: On how many seeds the reference must get full marks.
        seed: The first of them.
        only: Look at some checks, or one mistake, for a quick answer.
        tell: Takes one line per variant as it is graded.

    Raises:
        InputError: When `only` names no check or no mistake.
    """
    if problems := static_faults(assignment):
        return Report(assignment.id, [], problems=problems, only=only)
    known = list(mistakes(assignment, only.mistake))
    with scratch_folder() as scratch, JudgeClient(root, assignment.id, scratch) as judge:
        checks = only.chosen(judge.checks)
        runs = _Runs(assignment, judge, checks, scratch, tell)
        tasks = {task.id: task.points for task in assignment.manifest.tasks}
        report = Report(assignment.id, checks, tasks, seeds=1 if only else seeds, only=only)
        report.rows["reference"] = runs.reference(seed, "model" if only.mistake else "reference")
        report.problems += _judge_reference(report)
        if report.problems:  # nothing that is held against it means anything
            return report
        for number in range(1, report.seeds):
            _, graded = runs.reference(seed + number)
            if graded.score != graded.max_score or graded.status != "graded":
                report.problems.append(
                    f"on seed {seed + number} the reference gets {_points(graded)}: {_failing(graded)}"
                )
        rest = [*known] if only.mistake else [*_handed_in(assignment, only), *known, *_vandals()]
        for variant in rest:
            report.rows[variant.name] = variant, runs.grade(variant, seed)
        for variant in known:
            if variant.kind == "mistake" and not _is_told(
                variant, report.rows[variant.name][1]
            ):  # once more, to say why
                report.rows[variant.name] = variant, runs.grade(variant, seed, compare=True)
        report.problems += _judge_rows(report, assignment)
        if only.mistake:
            return report
        for variant in random.Random(seed).sample(known, min(SAMPLE, len(known))):
            boxed = runs.grade(replace(variant, kind="mistake in the sandbox"), seed)
            report.problems += _differences(variant, report.rows[variant.name][1], boxed)
    return report


def _handed_in(assignment: Assignment, only: Only) -> Iterator[Variant]:
    if not only:
        yield Variant("stub", "stub", build_stub(assignment))
    for path in assignment.alternatives():
        yield Variant(path.stem, "alternative", read_authored(path))


def _vandals() -> Iterator[Variant]:
    for kind in VANDALS:
        yield Variant(kind, "vandal")


class _Runs:
    """Grades variants. A mistake is run on the checks that can notice it: the others can't tell it from the reference."""

    def __init__(
        self,
        assignment: Assignment,
        judge: JudgeClient,
        checks: list[Check],
        scratch: Path,
        tell: Callable[[str], None],
    ) -> None:
        self._assignment, self._judge, self._checks = assignment, judge, checks
        self._scratch, self._tell = scratch, tell
        self._source = read_authored(assignment.reference)
        self._count = 0
        self._reference: Graded | None = None
        self._reached: dict[str, set[str]] = {}  # by check, the reference's names that its calls lead to

    def reference(self, seed: int, kind: str = "reference") -> tuple[Variant, Graded]:
        """Grade the reference; from the first time on it is known what each check calls."""
        variant = Variant("reference", kind, self._source)
        graded = self.grade(variant, seed, compare=True)
        if self._reference is None:
            self._reference = graded
            by_name = uses(self._source)
            for result in graded.results:
                called = {name for case in result.cases for name in case.used}
                self._reached[result.check.id] = reach(called, by_name)
        return variant, graded

    def grade(self, variant: Variant, seed: int, *, compare: bool = False) -> Graded:
        checks = [
            check for check in self._checks if not variant.replaces or self._reached[check.id] & set(variant.replaces)
        ]
        start = Graded(variant.name, self._assignment.id, "graded", seed=seed, isolation=self._judge.isolation)
        grade = Grade(start, checks)
        module = "" if variant.staff else self._written(variant)
        done = self._judge.grade(
            Path(module),
            seed,
            grade.add,
            checks=[check.id for check in checks],
            diagnose=variant.kind.startswith(("mistake", "decoy")),
            compare=compare or variant.kind == "vandal",
            staff=variant.staff,
        )
        graded = grade.finish(done)
        if len(checks) < len(self._checks):
            ran = {result.check.id: result for result in graded.results}
            graded = replace(
                graded, results=tuple(ran.get(result.check.id, result) for result in self._reference.results)
            )
        self._tell(
            f"{self._assignment.id}: {variant.kind} {variant.name}, seed {seed}: {_points(graded)}, {graded.elapsed_s:.2f} s"
        )
        return graded

    def _written(self, variant: Variant) -> Path:
        self._count += 1
        folder = self._scratch / f"variant-{self._count}"
        folder.mkdir(mode=0o755)
        module = folder / self._assignment.manifest.module
        module.write_text(variant.source, encoding="utf-8")
        module.chmod(0o644)
        return module


# ---- what must be true of each variant


def _judge_reference(report: Report) -> list[str]:
    """What is wrong with the checks themselves: the reference fails them, or they aren't the same each time."""
    _, graded = report.rows["reference"]
    problems = []
    for result in graded.results:
        faults = {case.summary for case in result.cases if case.outcome not in (Outcome.PASSED, Outcome.NOT_RUN)}
        problems += sorted(faults)[:1]
        moved = [case.case for case in result.cases if case.outcome is Outcome.PASSED and not case.alike]
        if moved:
            problems.append(
                f"{result.check.id}: differs between two runs with one seed{_in_cases(moved)}; "
                "take every random number from rng or torch_rng"
            )
    return problems


def _judge_rows(report: Report, assignment: Assignment) -> list[str]:
    """The promises about what each variant gets."""
    problems = []
    killed_by_mistake: set[str] = set()
    for variant, graded in report.rows.values():
        faults = [
            case.summary for result in graded.results for case in result.cases if case.outcome is Outcome.GRADER_ERROR
        ]
        if faults:
            problems.append(f"{variant.kind} {variant.name}: {faults[0]}")
        if variant.kind == "stub" and graded.score != 0:
            passed = [result.check.id for result in graded.results if result.score]
            problems.append(f"the stub gets {_points(graded)}: {', '.join(passed)}")
        if variant.kind == "alternative" and graded.score != graded.max_score:
            problems.append(f"the second solution {variant.name} gets {_points(graded)}: {_failing(graded)}")
        if variant.kind == "decoy":
            problems += _judge_decoy(variant, graded)
        if variant.kind == "mistake":
            killed_by_mistake |= killed(graded)
            if not report.only.checks or killed(graded):
                problems += _judge_mistake(variant, graded)
    problems += _judge_damage(report)
    problems += _judge_trivial(report, assignment)
    if not report.only.mistake:
        problems += [
            f"{result.check.id} fails on no mistake"
            for result in report.rows["reference"][1].results
            if result.check.hidden and result.ran and result.check.id not in killed_by_mistake
        ]
    return problems


def _is_told(variant: Variant, graded: Graded) -> bool:
    """Whether a mistake loses points and gets its own hint, and no other's."""
    return {case.mistake for result in graded.results for case in result.cases if case.mistake} == {variant.name}


def _judge_damage(report: Report) -> Iterator[str]:
    """The checks that pass although answers are damaged, each with all the ways in which they are."""
    passed: dict[str, list[str]] = {}
    for variant, graded in report.rows.values():
        for result in graded.results if variant.kind == "vandal" and variant.name not in TRIVIAL else ():
            if _overlooks(result):
                passed.setdefault(result.check.id, []).append(variant.name)
    for check, vandals in passed.items():
        yield f"{check} passes on the vandals {', '.join(vandals)}: let agree compare an answer that it looks at"


def _judge_trivial(report: Report, assignment: Assignment) -> Iterator[str]:
    """The cases that give points to an answer that takes no work, each with all such answers."""
    paid: dict[tuple[str, str], list[str]] = {}
    checks = {check.id: check for check in report.checks if check.points}
    for variant, graded in report.rows.values():
        for result in graded.results if variant.kind == "vandal" and variant.name in TRIVIAL else ():
            for case in result.cases:
                if result.check.id in checks and case.outcome is Outcome.PASSED and case.touched:
                    paid.setdefault((result.check.id, case.case), []).append(variant.name)
    for (id, case), answers in paid.items():
        check = checks[id]
        path = assignment.hidden_tests if check.hidden else assignment.public_tests
        place = f"{path.parent.parent.name}/{path.parent.name}/{path.name}::{id.partition(':')[2]}"
        points = check.points / len(check.cases)
        yield f"{place}{f'[{case}]' if case else ''} gives {points:.3g} points for {', '.join(answers)}"


def _judge_mistake(variant: Variant, graded: Graded) -> Iterator[str]:
    """What is wrong with a mistake: it loses nothing, or its student would not read its hint."""
    failed = [
        (result.check, case)
        for result in graded.results
        for case in result.cases
        if case.outcome not in (Outcome.PASSED, Outcome.NOT_RUN)
    ]
    if not failed:
        noticed = _numbers(
            result.check
            for result in graded.results
            if any(case.outcome is Outcome.PASSED and not case.alike for case in result.cases)
        )
        why = f"it changes answers in {noticed}, which passes all the same" if noticed else "it changes no answer"
        yield f"mistake {variant.name} loses no points: {why}"
        return
    raising = [(check, case) for check, case in failed if case.raised and not variant.raises]
    if raising:
        check, case = raising[0]
        yield (
            f"mistake {variant.name} raises {case.raised} in {check.number}, where the reference answers; "
            "if it is meant to, write raises = true"
        )
    hinted = {case.mistake for _, case in failed if case.mistake}
    if others := hinted - {variant.name}:
        where = _numbers(check for check, case in failed if case.mistake in others)
        yield f"mistake {variant.name} gets the hint of {', '.join(sorted(others))} in {where}"
    if variant.hinted and variant.name not in hinted:
        yield f"mistake {variant.name} does not get its own hint: {_why_no_hint(variant, failed)}"


def _judge_decoy(variant: Variant, graded: Graded) -> Iterator[str]:
    """What is wrong with a decoy: it shows somebody's hint, or nothing at all."""
    shown = {
        case.mistake or "two functions": result.check for result in graded.results for case in result.cases if case.hint
    }
    for name, check in shown.items():
        yield f"decoy {variant.name} gets the hint of {name} in {check.number}: a false one"
    if not killed(graded):
        yield f"decoy {variant.name} loses no points: it shows nothing about hints"


def _why_no_hint(variant: Variant, failed: list) -> str:
    alike = {name for _, case in failed for name in case.rivals} - {variant.name}
    if alike:
        where = _numbers(check for check, case in failed if set(case.rivals) & alike)
        return f"answers like {', '.join(sorted(alike))} in {where}"
    if all(case.raised for _, case in failed):
        return "it only ever raises, and a crash alone names no mistake; leave its hint out"
    check, case = failed[0]
    return f"in {check.number}, {case.summary}"


def _differences(variant: Variant, here: Graded, boxed: Graded) -> Iterator[str]:
    """Where the sandbox gives a mistake another outcome or hint than the judge's own process does."""
    for one, other in zip(here.results, boxed.results, strict=True):
        for case, same in zip(one.cases, other.cases, strict=True):
            if (case.outcome, case.mistake) != (same.outcome, same.mistake):
                yield (
                    f"mistake {variant.name} in {one.check.id}{_in_cases([case.case])}: {case.outcome.value}, "
                    f"and in the sandbox {same.outcome.value}: {same.summary or case.summary or same.mistake}"
                )
                return


def _overlooks(result: CheckResult) -> bool:
    """Whether a hidden check passes although a vandal changed an answer in it."""
    changed = any(not case.alike for case in result.cases if case.outcome is not Outcome.NOT_RUN)
    return result.check.hidden and result.outcome is Outcome.PASSED and changed


def is_damaged(variant: Variant, case: CaseResult) -> bool:
    """Whether a vandal did anything in a case that passes. A trivial answer counts where it is right, too."""
    return case.touched if variant.name in TRIVIAL else not case.alike


def killed(graded: Graded) -> set[str]:
    """Ids of the checks that a variant fails."""
    return {result.check.id for result in graded.results if result.ran and result.outcome is not Outcome.PASSED}


def counted(count: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _numbers(checks: Iterator[Check]) -> str:
    return ", ".join(dict.fromkeys(check.number for check in checks))


def _in_cases(cases: list[str]) -> str:
    named = [case for case in cases if case]
    return f" [{', '.join(named[:3])}]" if named else ""


def _points(graded: Graded) -> str:
    return f"{graded.score:g} of {graded.max_score:g}"


def _failing(graded: Graded) -> str:
    failing = [result for result in graded.results if result.ran and result.outcome is not Outcome.PASSED]
    return "; ".join(
        f"{result.check.id} ({next((case.summary for case in result.cases if case.summary), result.outcome.value)})"
        for result in failing[:3]
    )
