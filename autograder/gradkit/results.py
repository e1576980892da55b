"""Writes what a grade is: Gradescope's results.json for the student, graded.json for staff.

The only module that knows Gradescope's format. A file is written beside its place and renamed, so that whoever reads it
finds a whole one.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import msgspec

from gradkit.errors import InputError
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome
from gradkit.policy import duration

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

WORDS = {
    Outcome.PASSED: "passed",
    Outcome.PARTIAL: "some cases pass",
    Outcome.FAILED: "wrong",
    Outcome.NOT_WRITTEN: "not written yet",
    Outcome.TIMEOUT: "time limit",
    Outcome.CRASHED: "crashed",
    Outcome.REJECTED: "an answer of the wrong kind",
    Outcome.NOT_RUN: "not run here",
    Outcome.GRADER_ERROR: "grader error: not your fault, not scored",
}


def clean(text: str) -> str:
    """Text without control characters, bidirectional overrides or lone surrogates: it may come from a submission."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def explain(result: CheckResult) -> str:
    """What a student reads about one check. For a hidden check: never an input, an expected value or a print."""
    failed = [case for case in result.cases if case.outcome not in (Outcome.PASSED, Outcome.NOT_RUN)]
    if failed and all(case.unimportable for case in failed):
        return "Not checked: your file can't be imported. The reason stands at the top."
    if not failed:
        skipped = [case.summary for case in result.cases if case.outcome is Outcome.NOT_RUN]
        return f"Not run here: {skipped[0]}. It counts neither for nor against." if skipped else ""
    if all(case.outcome is Outcome.NOT_WRITTEN for case in failed):
        return "Not written yet."
    lines, values = [f"The claim: {result.check.claim}"], []
    groups: dict[tuple, list[CaseResult]] = {}
    for case in failed:
        groups.setdefault((case.outcome, case.summary, case.where), []).append(case)
    for (outcome, summary, where), cases in groups.items():
        which = ""
        if len(result.check.cases) > 1:
            names = ", ".join(case.case for case in cases[:6]) + (", ..." if len(cases) > 6 else "")
            which = f" in {len(cases)} of {len(result.check.cases)} cases ({names})"
        place = f" ({where})" if where and where not in summary else ""
        lines.append(f"Observed{which}: {summary or WORDS[outcome]}{place}")
        if not result.check.hidden and cases[0].detail:
            values.append(cases[0].detail)
    hints = dict.fromkeys(case.hint for case in failed if case.hint)
    return clean("\n".join([*lines, *(f"Hint: {hint}" for hint in hints), *values]))


def gradescope(graded: Graded, best: float | None = None) -> dict[str, object]:
    """The content of results.json.

    Args:
        graded: One submission's grade.
        best: The best score of the same student's earlier submissions, where the best one counts.
    """
    counts: dict[str, int] = {}
    for result in graded.results:
        if result.cases:
            counts[result.outcome.value] = counts.get(result.outcome.value, 0) + 1
    return {
        "score": _number(max(graded.score, best or 0.0)),
        "execution_time": round(graded.elapsed_s, 3),
        "output": clean(headline(graded, best)),
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
        "tests": [_test(result, graded) for result in graded.results],
    }


def headline(graded: Graded, best: float | None = None) -> str:
    """What a student reads first: the score and the notes, or why there is none."""
    if graded.status != "graded":
        kind = (
            "Not graded: the fault is the grader's, no point is lost"
            if graded.status == "not_graded"
            else "Can't be graded"
        )
        return "\n".join([f"{kind}. {graded.reason}", *notes(graded)])
    lines = [f"{points(graded.score)} of {points(graded.max_score)} points."]
    if best is not None and best > graded.score:
        lines.append(f"Your best submission so far has {points(best)}, and the best one counts.")
    lines += lateness(graded)
    if not graded.complete:
        lines.append("Grading is not finished: checks without a result count 0 so far.")
    not_run = [result for result in graded.results if result.cases and not result.ran]
    if not_run:
        lines.append(f"{len(not_run)} checks need a device that is not here; the score is out of those that ran.")
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
    return [f"{after}: {late.share:.0%} is taken off. {points(graded.score)} points become {points(graded.final)}."]


def notes(graded: Graded) -> list[str]:
    """What concerns a submission as a whole, a line each: why its file can't be imported, and what intake noted."""
    unimportable = [case.summary for result in graded.results for case in result.cases if case.unimportable]
    return list(dict.fromkeys([*unimportable, *graded.notes]))


def heading(check: Check) -> str:
    """What a student sees a check called."""
    return f"{check.title} ({'hidden' if check.hidden else 'public'})"


def shown(result: CheckResult, graded: Graded) -> str:
    """What a student reads under a check's heading; empty where it passed."""
    if result.cases:
        return explain(result)
    return "Not run." if graded.complete else "No result yet."


def looks_passed(result: CheckResult) -> bool:
    """Whether a student sees it ticked off: one that could not run here is not held against them."""
    return bool(result.cases) and result.outcome in (Outcome.PASSED, Outcome.NOT_RUN)


def _test(result: CheckResult, graded: Graded) -> dict[str, object]:
    check, outcome = result.check, result.outcome
    return {
        "name": heading(check),
        "number": check.number,
        "score": _number(result.score),
        "max_score": _number(check.points if result.ran else 0),
        "status": "passed" if looks_passed(result) else "failed",
        "output": shown(result, graded),
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
