"""What a student's page shows, worked out of a grade: the texts of results.json, each hint once with the checks it explains.

Without any HTML. Nothing here is what only staff may see, and the sentences are those that `results` writes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gradkit import results
from gradkit.model import Check, CheckResult, Graded, Outcome


@dataclass(frozen=True)
class Line:
    """A check: how it is called, what became of it in a word or two, its points, what was observed, and the values of a public one."""

    number: str
    name: str
    state: str
    points: str  # `3 of 4`
    said: str = ""
    values: str = ""


@dataclass(frozen=True)
class Group:
    """Checks that one hint explains, or, where it is empty, checks without one.

    Attributes:
        explains: The numbers of all checks that the hint explains, as a sentence has them.
        elsewhere: Of these, the ones that are listed on the page already, under another hint.
    """

    hint: str
    explains: str
    elsewhere: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Section:
    """Groups under one heading. `why` says what is true of all of them, and may be empty."""

    id: str
    title: str
    why: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class TaskLine:
    """A task's points, all of them and by who can run the checks."""

    number: int
    title: str
    public: str
    hidden: str
    points: str


@dataclass(frozen=True)
class StudentPage:
    """All that a student's page says below its head."""

    headline: str
    tasks: tuple[TaskLine, ...]
    total: TaskLine | None  # None where there is no score
    sections: tuple[Section, ...]


def student_page(graded: Graded, titles: Mapping[str, str]) -> StudentPage:
    """Work out the page of one student.

    Args:
        graded: The grade.
        titles: Of the assignment's tasks by their ids, in order.
    """
    tasks = graded.status == "graded" and graded.results and graded.override("") is None
    return StudentPage(
        results.headline(graded),
        tuple(_tasks(graded, titles)) if tasks else (),
        _task(0, "All tasks", graded.results, graded.score, graded.max_score) if tasks else None,
        tuple(_sections(graded)),
    )


def _tasks(graded: Graded, titles: Mapping[str, str]) -> Iterator[TaskLine]:
    for number, (id, title) in enumerate(titles.items(), start=1):
        mine = [result for result in graded.results if result.check.task == id]
        if mine:
            yield _task(number, title, mine, graded.earned(id), graded.possible(id))


def _task(number: int, title: str, found: Sequence[CheckResult], earned: float, possible: float) -> TaskLine:
    public = [result for result in found if not result.check.hidden]
    hidden = [result for result in found if result.check.hidden]
    parts = [results.of_points(part) if part else "none" for part in (public, hidden)]
    total = f"{results.points(earned)} of {results.points(possible)}" if possible else "not run"
    return TaskLine(number, title, *parts, total)


def _sections(graded: Graded) -> Iterator[Section]:
    """What is to be done first; what needs no word for each check stands in lists with one word for all."""
    kinds: dict[str, list[CheckResult]] = {}
    for result in graded.results:
        kinds.setdefault(_kind(result), []).append(result)
    if wrong := kinds.get("wrong"):
        yield Section("to-fix", "To fix", "", tuple(_groups(wrong)))
    if unwritten := kinds.get("unwritten"):
        yield Section("not-written", "Not written yet", "", _plain(unwritten))
    if unchecked := kinds.get("unchecked"):
        yield Section("not-checked", "Not checked", _why(results.explain(unchecked[0])), _plain(unchecked))
    if given := kinds.get("given"):
        yield Section("set-by-staff", "Set by the course staff", "", (Group("", "", "", tuple(map(_line, given))),))
    if waiting := kinds.get("waiting"):
        interrupted = graded.status == "graded" and not graded.complete
        title, why = ("No result yet", "") if interrupted else ("Not run", _why(results.without_result(graded)))
        yield Section("not-run", title, why, _plain(waiting))
    if absent := kinds.get("absent"):
        reasons = dict.fromkeys(_why(results.explain(result)) for result in absent)
        yield Section("not-run-here", "Not run here", " ".join(reasons), _plain(absent))
    if passed := kinds.get("passed"):
        yield Section("passed", "Passed", "", _plain(passed))


def _kind(result: CheckResult) -> str:
    """Which section a check belongs to."""
    if result.given and (not result.cases or result.outcome in (Outcome.PASSED, Outcome.NOT_RUN)):
        return "given"
    if not result.cases:
        return "waiting"
    if result.outcome is Outcome.PASSED:
        return "passed"
    if not result.ran:
        return "absent"
    failed = [case for case in result.cases if case.outcome not in (Outcome.PASSED, Outcome.NOT_RUN)]
    if result.given:  # its own text stands there, which lists have no place for
        return "wrong"
    if all(case.unimportable for case in failed):
        return "unchecked"
    return "unwritten" if all(case.outcome is Outcome.NOT_WRITTEN for case in failed) else "wrong"


def _plain(found: Iterable[CheckResult]) -> tuple[Group, ...]:
    """One list, in which the heading says what became of each."""
    return (Group("", "", "", tuple(_line(result, state="") for result in found)),)


def _groups(wrong: Sequence[CheckResult]) -> Iterator[Group]:
    """The failed checks in their order: a hint stands where the first check that it explains does, with all the others."""
    told = results.advice(wrong)
    about = {result.check.id: results.advice_of(result, told) for result in wrong}
    first = {
        result.check.id: [one for one in about[result.check.id] if one.checks[0] == result.check] for result in wrong
    }
    leading = [result for result in wrong if first[result.check.id] or not about[result.check.id]]
    listed: set[str] = set()
    for hinted, some in itertools.groupby(leading, key=lambda result: bool(about[result.check.id])):
        if not hinted:
            yield Group("", "", "", tuple(_line(result) for result in some))
            continue
        for one in (one for result in some for one in first[result.check.id]):
            mine = {check.id for check in one.checks}
            yield Group(
                one.text,
                _numbers(one.checks),
                _numbers(check for check in one.checks if check.id in listed),
                tuple(_line(result) for result in wrong if result.check.id in mine - listed),
            )
            listed |= mine


def _why(text: str) -> str:
    """A sentence that says what its heading says, without that."""
    return re.sub(r"^Not (?:checked|run|run here)[:,.] ?(.?)", lambda found: found[1].upper(), text)


def _numbers(checks: Iterable[Check]) -> str:
    numbers = [check.number for check in checks]
    return results.listed(numbers) if numbers else ""


def _line(result: CheckResult, state: str | None = None) -> Line:
    observed, values = results.observations(result) if state is None else ([], [])
    return Line(
        result.check.number,
        results.heading(result.check),
        results.WORDS[result.outcome] if state is None else state,
        results.of_points([result]) if (result.cases or result.given) and result.ran else results.worth(result.check),
        "\n".join(observed),
        "\n".join(values),
    )
