"""What is different between two runs over one assignment: whose score, on which check, by how much, and who is in one only.

Scores are those that count: with what staff set, and for `final` with what being late takes off.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gradkit import results
from gradkit.errors import InputError
from gradkit.model import Check, CheckResult, Graded
from gradkit.report.data import Entry, read_run
from gradkit.runs import run_record
from gradkit.safetext import cell_text, page_text

DUST = 1e-6  # what adding fractions of points leaves behind
KINDS = {
    "score": "another score",
    "now": "graded now, and not before",
    "no-longer": "not graded any more",
    "status": "another status",
    "checks": "the same score from other checks",
    "hints": "other hints, the same score",
    "only-new": "only in the new run",
    "only-old": "only in the old run",
    "same": "unchanged",
}
"""What became of a submission, in the order in which it is told."""


@dataclass(frozen=True)
class Side:
    """What one run made of a submission. `score` and `final` are None where there is none."""

    status: str
    score: float | None = None
    final: float | None = None

    @property
    def text(self) -> str:
        """The score, or why there is none."""
        return results.points(self.score) if self.score is not None else self.status


@dataclass(frozen=True)
class CheckChange:
    """A check with other points or another hint. Points are None where it is not, or has no result."""

    check: Check
    before: float | None
    after: float | None
    hint: bool

    @property
    def delta(self) -> float:
        return (self.after or 0.0) - (self.before or 0.0)

    @property
    def text(self) -> str:
        """`2.1 −3`, or what else there is to say of it."""
        if self.before is None or self.after is None:
            is_new = self.before is None
            value = self.after if is_new else self.before
            return f"{self.check.number} {'new' if is_new else 'gone'} ({results.points(value or 0.0)})"
        return f"{self.check.number} {signed(self.delta) if abs(self.delta) > DUST else 'hint'}"


@dataclass(frozen=True)
class Change:
    """One submission in two runs. `overrides` says what staff set otherwise than before."""

    name: str
    submitters: str
    kind: str
    before: Side
    after: Side
    checks: tuple[CheckChange, ...] = ()
    overrides: tuple[str, ...] = ()

    @property
    def delta(self) -> float | None:
        """By how much the score changed."""
        if self.before.score is None or self.after.score is None:
            return None
        return self.after.score - self.before.score

    @property
    def what(self) -> str:
        """On which checks, in a line."""
        parts = [", ".join(one.text for one in self.checks)] if self.checks else []
        parts += self.overrides
        penalty = self.before.final, self.after.final
        if self.kind == "score" and abs(self.delta or 0.0) <= DUST and None not in penalty:
            parts.append(f"after being late {results.points(penalty[0])} → {results.points(penalty[1])}")
        return "; ".join(parts)


@dataclass(frozen=True)
class Total:
    """A check, and how many gained or lost points in it."""

    check: Check
    gained: int
    lost: int


@dataclass(frozen=True)
class Changes:
    """Two runs compared. `reasons` are those that staff gave for what lies between them."""

    assignment: str
    old: Path
    new: Path
    reasons: tuple[str, ...]
    rows: tuple[Change, ...]
    totals: tuple[Total, ...]

    def of(self, *kinds: str) -> list[Change]:
        return [row for row in self.rows if row.kind in kinds]

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many of each kind there are, in words."""
        return [(KINDS[kind], count) for kind in KINDS if (count := len(self.of(kind)))]


def signed(value: float) -> str:
    """A difference with its sign: +2.5."""
    return f"{round(value, 2):+g}".replace("-", "\N{MINUS SIGN}")


def compare_runs(old: Path, new: Path) -> Changes:
    """Compare two runs; everybody who is in either has a row.

    Raises:
        InputError: When a folder holds no run, or they are of different assignments.
    """
    before, after = run_record(old), run_record(new)
    if before.assignment != after.assignment:
        raise InputError(f"{old} is a run of {before.assignment}, and {new} one of {after.assignment}: name two of one")
    here = {entry.name: entry for entry in read_run(old).entries if entry.listed}
    there = {entry.name: entry for entry in read_run(new).entries if entry.listed}
    rows = [_change(name, here.get(name), there.get(name)) for name in here.keys() | there.keys()]
    rows.sort(key=lambda row: (list(KINDS).index(row.kind), row.name))
    known = len(before.regrades) if after.regrades[: len(before.regrades)] == before.regrades else 0
    reasons = tuple(page_text(one.reason) for one in after.regrades[known:] if one.reason)
    return Changes(before.assignment, old, new, reasons, tuple(rows), tuple(_totals(rows)))


def _change(name: str, old: Entry | None, new: Entry | None) -> Change:
    before, after = _side(old), _side(new)
    one, other = old.graded if old else None, new.graded if new else None
    submitters = next((entry.submitters for entry in (new, old) if entry and entry.submitters), "")
    checks = tuple(_checks(one, other)) if one and other else ()
    given = [results.set_by_staff(graded) if graded else [] for graded in (one, other)]
    overrides = [f"set by staff: {line}" for line in given[1] if line not in given[0]]
    overrides += [f"no longer set by staff: {line}" for line in given[0] if line not in given[1]]
    if old is None or new is None:
        kind = "only-new" if old is None else "only-old"
    elif before.score is None or after.score is None:
        kind = "now" if after.score is not None else "no-longer" if before.score is not None else "status"
        kind = "same" if kind == "status" and before == after else kind
    elif abs(after.score - before.score) > DUST or abs((after.final or 0.0) - (before.final or 0.0)) > DUST:
        kind = "score"
    elif before.status != after.status:
        kind = "status"
    elif any(abs(check.delta) > DUST for check in checks) or overrides:
        kind = "checks"
    else:
        kind = "hints" if checks else "same"
    return Change(name, submitters, kind, before, after, checks, tuple(overrides))


def _side(entry: Entry | None) -> Side:
    if entry is None:
        return Side("not there")
    graded = entry.graded
    if graded is None:
        return Side("no record")
    if not graded.scored:
        return Side(graded.status.replace("_", " "))
    if not graded.complete:
        return Side("unfinished")
    status = graded.status if graded.status == "graded" else f"{graded.status.replace('_', ' ')}, points set by staff"
    return Side(status, round(graded.score, 6), round(graded.final, 6))


def _checks(old: Graded, new: Graded) -> Iterator[CheckChange]:
    """The checks that went otherwise, in their order; without results there is nothing to compare."""
    was = {result.check.id: result for result in old.results if old.status == "graded"}
    now = {result.check.id: result for result in new.results if new.status == "graded"}
    if not was or not now:
        return
    for id in [*now, *(id for id in was if id not in now)]:
        one, other = was.get(id), now.get(id)
        before, after = _points(one), _points(other)
        changed = (before is None) != (after is None) or abs((after or 0.0) - (before or 0.0)) > DUST
        hint = one is not None and other is not None and _hints(one) != _hints(other)
        if changed or hint:
            yield CheckChange((other or one).check, before, after, hint)


def _points(result: CheckResult | None) -> float | None:
    return round(result.score, 6) if result is not None and result.ran else None


def _hints(result: CheckResult) -> set[tuple[str, ...]]:
    """What explains the failed cases, by case."""
    return {
        (case.case, case.hint, case.mistake, case.where if case.edit else "")
        for case in result.cases
        if case.hint or case.mistake or case.edit
    }


def _totals(rows: Iterable[Change]) -> Iterator[Total]:
    """By check, in the order of the checks as far as the rows show it."""
    found: dict[str, list[CheckChange]] = {}
    for row in rows:
        for one in row.checks:
            found.setdefault(one.check.id, []).append(one)
    for changes in sorted(found.values(), key=lambda changes: _natural(changes[0].check.number)):
        gained = sum(one.delta > DUST for one in changes)
        lost = sum(one.delta < -DUST for one in changes)
        if gained or lost:
            yield Total(changes[0].check, gained, lost)


def _natural(number: str) -> list[tuple[bool, int, str]]:
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in number.split(".")]


COLUMNS = (
    "submission", "submitters", "what", "old_status", "new_status", "old_score", "new_score", "change", "old_final", "new_final",
    "check", "title", "old_points", "new_points", "points_change", "hint_changed", "set_by_staff", "reason",
)  # fmt: skip


def table(changes: Changes) -> str:
    """CSV with a row for each submission, and for each of its checks that changed. What is not known is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    reason = " / ".join(changes.reasons)
    for row in changes.rows:
        head = [row.name, row.submitters, KINDS[row.kind], row.before.status, row.after.status]
        head += [_number(row.before.score), _number(row.after.score), _number(row.delta)]
        head += [_number(row.before.final), _number(row.after.final)]
        tail = ["; ".join(row.overrides), "" if row.kind == "same" else reason]
        for one in row.checks or [None]:
            middle = [""] * 6
            if one is not None:
                points = [_number(value) for value in (one.before, one.after, one.delta)]
                middle = [one.check.number, one.check.title, *points, "yes" if one.hint else ""]
            writer.writerow([_cell(text) for text in [*head, *middle, *tail]])
    return out.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{round(value, 6):g}"


def _cell(text: str) -> str:
    """As `cell_text`, but a number with its sign is a number."""
    try:
        float(text)
    except ValueError:
        return cell_text(text)
    return text
