"""Writes what a grade is: Gradescope's results.json for the student, graded.json for staff.

The only module that knows Gradescope's format. A file is written beside its place and renamed, so that whoever reads it
finds a whole one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gradkit.errors import InputError
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome, Override
from gradkit.policy import duration, percent
from gradkit.safetext import page_text

WORDS = {
    Outcome.PASSED: "passed",
    Outcome.PARTIAL: "some cases pass",
    Outcome.FAILED: "wrong",
    Outcome.NOT_WRITTEN: "not written yet",
    Outcome.TIMEOUT: "time limit",
    Outcome.CRASHED: "crashed",
    Outcome.REJECTED: "an answer of the wrong kind",
    Outcome.NOT_RUN: "not run here",
    Outcome.GRADER_ERROR: "grader error",
}
NOT_GRADED = "because of a grader error; you lose no points."


@dataclass(frozen=True)
class Advice:
    """A hint, or a line to look at, and the checks whose wrong answers it explains, in the order in which they are shown."""

    text: str
    checks: tuple[Check, ...]
    key: tuple[str, str]


def advice(results: Iterable[CheckResult]) -> tuple[Advice, ...]:
    """Every hint that stands in these results once, each with its checks, by the first of them."""
    found: dict[tuple[str, str], dict[str, Check]] = {}
    for result in results:
        for case in _failed(result):
            if case.hint:
                found.setdefault(_key(result, case), {})[result.check.id] = result.check
    return tuple(Advice(key[0], tuple(checks.values()), key) for key, checks in found.items())


def advice_of(result: CheckResult, told: Iterable[Advice]) -> tuple[Advice, ...]:
    """Of `told`, what concerns this check."""
    keys = {_key(result, case) for case in _failed(result) if case.hint}
    return tuple(one for one in told if one.key in keys)


def _key(result: CheckResult, case: CaseResult) -> tuple[str, str]:
    """What makes two hints the same. The line to look at is one of "this task", so it is another one in another task."""
    return case.hint, result.check.task if case.edit else ""


def _failed(result: CheckResult) -> list[CaseResult]:
    return [case for case in result.cases if case.outcome not in (Outcome.PASSED, Outcome.NOT_RUN)]


def explain(result: CheckResult, told: Iterable[Advice] | None = None) -> str:
    """What a student reads about one check. For a hidden check: never an input, an expected value or a print.

    Args:
        told: The hints of all checks that are shown together. Each stands in full at the first check that it explains; the
            others say where that is. With None this check is shown by itself.
    """
    hints = []
    for one in advice_of(result, advice([result]) if told is None else told):
        first, *others = one.checks
        if first.id != result.check.id:
            hints.append(f"Hint: see check {first.number}, {first.title}.")
        elif others:
            hints.append(f"Hint, also for {listed(check.number for check in others)}: {one.text}")
        else:
            hints.append(f"Hint: {one.text}")
    observed, values = observations(result)
    return page_text("\n".join([*observed, *hints, *values]))


def observations(result: CheckResult) -> tuple[list[str], list[str]]:
    """What was seen of a check, and of a public one the values, both in lines and without any hint. Texts are as they came."""
    observed, values = _observations(result)
    return [*set_points(result), *observed], values


def _observations(result: CheckResult) -> tuple[list[str], list[str]]:
    failed = _failed(result)
    if failed and all(case.unimportable for case in failed):
        return ["Not checked: your file can't be imported. The reason is at the top."], []
    if not failed:
        skipped = [case.summary for case in result.cases if case.outcome is Outcome.NOT_RUN]
        return [f"Not run here: {skipped[0]}. It counts neither for nor against."] if skipped else [], []
    if all(case.outcome is Outcome.NOT_WRITTEN for case in failed):
        return ["Not written yet."], []
    lines, values = [f"The claim: {result.check.claim}"], []
    groups: dict[tuple, list[CaseResult]] = {}
    for case in failed:
        groups.setdefault((case.outcome, case.summary, case.where), []).append(case)
    for (outcome, summary, where), cases in groups.items():
        which = ""
        if len(result.check.cases) > 1:
            names = ", ".join(case.case for case in cases[:6]) + (", ..." if len(cases) > 6 else "")
            which = f" in {len(cases)} of {len(result.check.cases)} cases ({names})"
        if outcome is Outcome.GRADER_ERROR:  # its text is staff's: it may quote the check
            lines.append(f"Not graded{which}: {NOT_GRADED}")
            continue
        place = f" ({where})" if where and where not in summary else ""
        lines.append(f"Observed{which}: {summary or WORDS[outcome]}{place}")
        if not result.check.hidden and cases[0].detail:
            values.append(cases[0].detail)
    blamed = list(dict.fromkeys(case.blamed for case in failed if case.blamed))
    if blamed:
        lines.append(f"This comes from {listed(blamed)}.")
    return lines, values


def listed(names: Iterable[str]) -> str:
    """Names as a sentence has them: `2.1, 2.3 and 2.5`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def gradescope(graded: Graded, best: float | None = None) -> dict[str, object]:
    """The content of results.json.

    Args:
        graded: One submission's grade.
        best: The best score of the same student's earlier submissions, where the best one counts.
    """
    told = advice(graded.results)
    counts: dict[str, int] = {}
    for result in graded.results:
        if result.cases:
            counts[result.outcome.value] = counts.get(result.outcome.value, 0) + 1
    return {
        "score": _number(max(graded.score, best or 0.0)),
        "execution_time": round(graded.elapsed_s, 3),
        "output": page_text(headline(graded, best)),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {
            "assignment": graded.assignment,
            "status": graded.status,
            "complete": graded.complete,
            "max_score": _number(graded.max_score),
            "outcomes": counts,
            "isolation": graded.isolation,
            "flags": list(graded.flags),
        },
        "tests": [_test(result, graded, told) for result in graded.results],
    }


def headline(graded: Graded, best: float | None = None) -> str:
    """What a student reads first: the score and the notes, or why there is none."""
    lines = [_score(graded), *_set_points(graded)] if graded.scored else []
    if graded.status != "graded":
        late = lateness(graded) if graded.scored else []
        # the reason why something was not graded is staff's: it may quote a check
        why = f"Not graded, {NOT_GRADED}" if graded.status == "not_graded" else f"Can't be graded. {graded.reason}"
        return "\n".join([*lines, *late, why, *notes(graded)])
    if best is not None and best > graded.score:
        lines.append(f"Your best submission so far has {points(best)}, and the best one counts.")
    lines += lateness(graded)
    if not graded.complete:
        lines.append("Grading is not finished: checks without a result count 0 so far.")
    not_run = [result for result in graded.results if result.cases and not result.ran]
    if not_run:
        checks = "1 check needs" if len(not_run) == 1 else f"{len(not_run)} checks need"
        lines.append(f"{checks} a device that isn't available here; the score is out of those that ran.")
    return "\n".join([*lines, *notes(graded)])


def lateness(graded: Graded) -> list[str]:
    """What a student reads of a submission that came late: by how much, what that takes off, and what is left."""
    late = graded.late
    if late.unknown:
        return ["Handed in after the due date; how much later is not known here."]
    if not late.late_s:
        return []
    after = f"Handed in {duration(late.late_s)} after the due date"
    if not late.days:
        return [f"{after}, within the grace period: nothing is taken off."]
    if not late.share:
        return [f"{after}."]
    return [
        f"{after}: {percent(late.share)} is taken off. {points(graded.score)} points become {points(graded.final)}."
    ]


def earned(results: Iterable[CheckResult]) -> tuple[float, float]:
    """Points, and out of how many: those of the checks that could run here."""
    ran = [result for result in results if result.ran]
    return sum(result.score for result in ran), sum(result.check.points for result in ran)


def of_points(results: Iterable[CheckResult]) -> str:
    """What was earned, as people read it: `3 of 4`; `not run` where nothing could."""
    got, possible = earned(results)
    return f"{points(got)} of {points(possible)}" if possible else "not run"


def worth(check: Check) -> str:
    """What a check counts: `2.5 points`."""
    return "1 point" if check.points == 1 else f"{points(check.points)} points"


def _score(graded: Graded) -> str:
    """The score, and how much of it the public checks gave, which students ran themselves."""
    public = [result for result in graded.results if not result.check.hidden]
    hidden = [result for result in graded.results if result.check.hidden]
    total = f"{points(graded.score)} of {points(graded.max_score)} points"
    if graded.overrides or not earned(public)[1] or not earned(hidden)[1]:
        return f"{total}."
    return f"{total}: {of_points(public)} in the public checks, {of_points(hidden)} in the hidden ones."


def set_points(result: CheckResult) -> list[str]:
    """What a student reads where staff set the points of a check."""
    one = result.given
    return [f"Points set by the course staff: {_instead(one, points(result.raw))}"] if one else []


def _set_points(graded: Graded) -> list[str]:
    """The same for tasks and for the total; where there was no score, none is named."""
    lines = []
    for one in graded.overrides:
        task = one.of.removeprefix("task:")
        before = raw(graded, one)
        kind = f" for task {task}" if task else ""
        lines.append(
            f"Points set by the course staff{kind}: {_instead(one, points(before) if before is not None else '')}"
        )
    return lines


def raw(graded: Graded, one: Override) -> float | None:
    """What the checks give in place of points that staff set; None where they give none."""
    key = one.of.removeprefix("task:")
    mine = [result for result in graded.results if key in ("", result.check.id, result.check.task)]
    return sum(result.raw for result in mine) if mine and graded.status == "graded" else None


def given(graded: Graded) -> list[tuple[Override, str, float | None]]:
    """All that staff set of a grade: with what it is of in a word, such as `check 2.3`, and with `raw`."""
    of_checks = [(result.given, f"check {result.check.number}") for result in graded.results if result.given]
    others = [(one, one.of.replace("task:", "task ") or "total") for one in graded.overrides]
    return [(one, word, raw(graded, one)) for one, word in [*of_checks, *others]]


def set_by_staff(graded: Graded) -> list[str]:
    """The same for staff, a line each."""
    return [
        f"{word}: {points(one.points)}"
        + (f" instead of {points(before)}" if before is not None else "")
        + f" ({one.reason}; {one.who})"
        for one, word, before in given(graded)
    ]


def _instead(one: Override, before: str) -> str:
    return f"{points(one.points)}{f' instead of {before}' if before else ''} ({one.reason})."


def notes(graded: Graded) -> list[str]:
    """What concerns a submission as a whole, a line each: why its file can't be imported, and what intake noted."""
    unimportable = [case.summary for result in graded.results for case in result.cases if case.unimportable]
    return list(dict.fromkeys([*unimportable, *graded.notes]))


def heading(check: Check) -> str:
    """What a student sees a check called."""
    return f"{check.title} ({'hidden' if check.hidden else 'public'})"


def shown(result: CheckResult, graded: Graded, told: Iterable[Advice] | None = None) -> str:
    """What a student reads under a check's heading; empty where it passed. `told` is as for `explain`."""
    if result.cases:
        return explain(result, told)
    return page_text("\n".join([*set_points(result), without_result(graded)]))


def without_result(graded: Graded) -> str:
    """Why a check of this submission has no result."""
    if graded.status == "refused":
        return "Not run: your submission can't be graded. The reason is at the top."
    if graded.status == "not_graded":
        return f"Not run, {NOT_GRADED}"
    return "Not run." if graded.complete else "No result yet."


def looks_passed(result: CheckResult) -> bool:
    """Whether a student sees it ticked off: one that could not run here is not held against them."""
    if result.given is not None:
        return result.given.points >= result.check.points
    return bool(result.cases) and result.outcome in (Outcome.PASSED, Outcome.NOT_RUN)


def _test(result: CheckResult, graded: Graded, told: Iterable[Advice]) -> dict[str, object]:
    check, outcome = result.check, result.outcome
    return {
        "name": heading(check),
        "number": check.number,
        "score": _number(result.score),
        "max_score": _number(check.points if result.ran else 0),
        "status": "passed" if looks_passed(result) else "failed",
        "output": shown(result, graded, told),
        "tags": [check.task],
        "visibility": "visible",
        "extra_data": {
            "outcome": outcome.value,
            "mistakes": sorted({case.mistake for case in result.cases if case.mistake}),
            "edits": sorted({f"{case.where}: {case.edit}" for case in result.cases if case.edit}),
        },
    }


def points(value: float) -> str:
    """Points as people read them: 87.67 of 100."""
    return f"{round(_number(value), 2):g}"


def _number(value: float) -> float:
    """A finite number without the dust of adding fractions."""
    if not math.isfinite(value):
        raise ValueError(f"a score must be finite, got {value}")
    return round(value, 6)


def write_whole(path: Path, data: bytes) -> None:
    """Write beside `path`, then rename.

    Raises:
        InputError: When the folder can't be written to.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror}") from None


def write(graded: Graded, folder: Path, *, best: float | None = None, staff: bool = True) -> None:
    """Write results.json, and graded.json with what only staff may see, into a submission's folder."""
    write_whole(folder / "results.json", msgspec.json.format(msgspec.json.encode(gradescope(graded, best)), indent=1))
    if staff:
        write_whole(folder / "graded.json", msgspec.json.encode(graded))


def read(folder: Path) -> Graded | None:
    """The staff's record of a submission graded before, or None where there is none that is whole."""
    try:
        return msgspec.json.decode((folder / "graded.json").read_bytes(), type=Graded)
    except (OSError, msgspec.MsgspecError):
        return None
