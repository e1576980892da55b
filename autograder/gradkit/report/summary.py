"""What the report's pages show, worked out of a run: rows and numbers, without any HTML."""

from __future__ import annotations

import statistics as averages
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gradkit import results
from gradkit.judge.isolation import Isolation
from gradkit.manifest import Manifest
from gradkit.model import Check, CheckResult, Graded, Outcome, Override
from gradkit.report.data import Entry, Run
from gradkit.report.statistics import Analysis, Bin, Item, Marks, Points, histogram, percentile

LOOKED_INTO = (Outcome.TIMEOUT, Outcome.CRASHED, Outcome.REJECTED, Outcome.GRADER_ERROR, Outcome.NOT_RUN)
"""Outcomes of a single case that an instructor wants to see by themselves."""


@dataclass(frozen=True)
class Marked:
    """How many submissions got all of an item's points, some, none, and how many had not written it."""

    full: int
    some: int
    none: int
    not_written: int

    @property
    def parts(self) -> list[tuple[str, int]]:
        return [
            ("all points", self.full),
            ("some", self.some),
            ("none", self.none),
            ("not written", self.not_written),
        ]


@dataclass(frozen=True)
class TaskRow:
    """A task, and how the class did on it."""

    number: int
    id: str
    title: str
    points: float
    item: Item
    marked: Marked
    mistake: str  # the misconception met most often in its checks, or empty
    met: int


@dataclass(frozen=True)
class CheckRow:
    """A check, how the class did on it, and how long it took."""

    check: Check
    task: int  # number of its task
    item: Item
    marked: Marked
    seconds: float  # mean over the submissions
    longest: float


@dataclass(frozen=True)
class Misconception:
    """One known mistake, and the submissions that answered as it does."""

    name: str
    hint: str
    tasks: tuple[str, ...]
    checks: tuple[str, ...]  # numbers
    submissions: tuple[Entry, ...]


@dataclass(frozen=True)
class WrongLine:
    """A line of one submission on which one small edit makes all checks of a task pass."""

    entry: Entry
    tasks: tuple[str, ...]
    where: str
    edit: str


@dataclass(frozen=True)
class Incident:
    """One kind of outcome in the checks where the same submissions met it."""

    outcome: Outcome
    checks: tuple[Check, ...]
    said: str  # what was observed most often
    submissions: tuple[Entry, ...]


@dataclass(frozen=True)
class Trouble:
    """A submission that stands in no statistic, and why."""

    entry: Entry
    status: str
    reason: str


@dataclass(frozen=True)
class SubmissionRow:
    """A line of the table of submissions."""

    entry: Entry
    status: str
    mistakes: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    flags: int


@dataclass(frozen=True)
class Scores:
    """Shares of the points that could be earned, over the submissions that count."""

    shares: tuple[float, ...]
    bins: tuple[Bin, ...]

    @property
    def mean(self) -> float:
        return averages.fmean(self.shares)

    @property
    def median(self) -> float:
        return averages.median(self.shares)

    @property
    def quartiles(self) -> tuple[float, float] | None:
        """First and third, interpolated; None for fewer than four."""
        if len(self.shares) < 4:
            return None
        first, _, third = averages.quantiles(self.shares, n=4, method="inclusive")
        return first, third


@dataclass(frozen=True)
class Times:
    """Seconds from a submission's first check to its last, on the machine that graded."""

    total: float
    median: float
    p95: float
    longest: float
    longest_entry: Entry
    peak_mib: float


@dataclass(frozen=True)
class Summary:
    """All that the class report says, worked out."""

    title: str
    run: Run
    scores: Scores | None  # None where nothing counts
    tasks: tuple[TaskRow, ...]
    checks: tuple[CheckRow, ...]
    misconceptions: tuple[Misconception, ...]
    lines: tuple[WrongLine, ...]
    incidents: tuple[Incident, ...]
    flagged: tuple[Entry, ...]
    given: tuple[tuple[Entry, Override, str, float | None], ...]  # what staff set, in a word, and what the checks give
    troubles: tuple[Trouble, ...]
    submissions: tuple[SubmissionRow, ...]
    times: Times | None
    isolation: tuple[tuple[str, int], ...]  # lines, with how many submissions each

    @property
    def n(self) -> int:
        return len(self.run.counted)

    @property
    def nothing(self) -> int:
        """How many that count earned no point."""
        return sum(share == 0 for share in self.scores.shares) if self.scores else 0


def summarize(run: Run, manifest: Manifest | None = None) -> Summary:
    """Work out everything that the class's page shows.

    Args:
        run: What was graded.
        manifest: The assignment's, for titles; without one the tasks are called by their ids.
    """
    counted = run.counted
    analysis = Analysis([marks(entry.graded) for entry in counted])
    task_ids = list(dict.fromkeys(check.task for check in run.checks))
    if manifest:
        order = [task.id for task in manifest.tasks]
        task_ids.sort(key=lambda id: order.index(id) if id in order else len(order))
    titles = {task.id: task.title for task in manifest.tasks} if manifest else {}
    misconceptions = _misconceptions(counted)
    tasks = [
        _task(number, id, titles.get(id, id), run, analysis, misconceptions)
        for number, id in enumerate(task_ids, start=1)
    ]
    return Summary(
        title=manifest.title if manifest else run.assignment or "An unknown assignment",
        run=run,
        scores=_scores(counted),
        tasks=tuple(tasks),
        checks=tuple(_check(check, task_ids.index(check.task) + 1, counted, analysis) for check in run.checks),
        misconceptions=tuple(misconceptions),
        lines=tuple(_lines(counted)),
        incidents=tuple(_incidents(run.entries)),
        flagged=tuple(entry for entry in run.entries if entry.graded and entry.graded.flags),
        given=tuple((entry, *given) for entry in run.entries if entry.graded for given in results.given(entry.graded)),
        troubles=tuple(_troubles(run.entries)),
        submissions=tuple(_row(entry) for entry in run.entries),
        times=_times(counted),
        isolation=tuple(_isolation(run.entries)),
    )


def marks(graded: Graded) -> Marks:
    """What a submission earned by check; 0 of 0 for a check that could not run."""
    return {
        result.check.id: Points(result.raw, result.check.points) if result.measured else Points(0.0, 0.0)
        for result in graded.results
    }


def _scores(counted: Sequence[Entry]) -> Scores | None:
    grades = [entry.graded for entry in counted if entry.graded.max_score > 0]
    shares = [graded.score / graded.max_score for graded in grades]
    return Scores(tuple(shares), tuple(histogram(shares))) if shares else None


def _task(
    number: int,
    id: str,
    title: str,
    run: Run,
    analysis: Analysis,
    misconceptions: Sequence[Misconception],
) -> TaskRow:
    checks = {check.id: check for check in run.checks if check.task == id}
    mine = [entry for entry in misconceptions if id in entry.tasks]
    return TaskRow(
        number,
        id,
        title,
        sum(check.points for check in checks.values()),
        analysis.item(checks),
        _marked(run.counted, checks),
        mine[0].name if mine else "",
        len(mine[0].submissions) if mine else 0,
    )


def _check(check: Check, task: int, counted: Sequence[Entry], analysis: Analysis) -> CheckRow:
    times = [
        sum(case.elapsed_s for case in entry.by_check[check.id].cases)
        for entry in counted
        if check.id in entry.by_check
    ]
    return CheckRow(
        check,
        task,
        analysis.item([check.id]),
        _marked(counted, {check.id}),
        averages.fmean(times) if times else 0.0,
        max(times, default=0.0),
    )


def _marked(counted: Sequence[Entry], checks: Collection[str]) -> Marked:
    kinds: Counter[str] = Counter()
    for entry in counted:
        found = [entry.by_check[check] for check in checks if check in entry.by_check]
        ran = [result for result in found if result.measured]
        if ran:
            kinds[_kind(ran)] += 1
    return Marked(*(kinds[kind] for kind in ("full", "some", "none", "not written")))


def _kind(ran: Sequence[CheckResult]) -> str:
    if all(result.outcome is Outcome.PASSED for result in ran):
        return "full"
    if any(result.raw > 0 for result in ran):
        return "some"
    if any(case.outcome is Outcome.NOT_WRITTEN for result in ran for case in result.cases):
        return "not written"
    return "none"


def _misconceptions(counted: Sequence[Entry]) -> list[Misconception]:
    """Most frequent first."""
    hints: dict[str, Counter[str]] = {}
    tasks: dict[str, dict[str, None]] = {}
    checks: dict[str, dict[str, None]] = {}
    who: dict[str, dict[str, Entry]] = {}
    for entry in counted:
        for result in entry.graded.results:
            for case in result.cases:
                if case.mistake:
                    hints.setdefault(case.mistake, Counter())[case.hint] += 1
                    tasks.setdefault(case.mistake, {})[result.check.task] = None
                    checks.setdefault(case.mistake, {})[result.check.number] = None
                    who.setdefault(case.mistake, {})[entry.name] = entry
    found = [
        Misconception(
            name,
            hints[name].most_common(1)[0][0],
            tuple(tasks[name]),
            tuple(checks[name]),
            tuple(who[name].values()),
        )
        for name in hints
    ]
    return sorted(found, key=lambda entry: (-len(entry.submissions), entry.name))


def _lines(counted: Sequence[Entry]) -> Iterator[WrongLine]:
    for entry in counted:
        found: dict[tuple[str, str], dict[str, None]] = {}
        for result in entry.graded.results:
            for case in result.cases:
                if case.edit:
                    found.setdefault((case.where, case.edit), {})[result.check.task] = None
        for (where, edit), tasks in found.items():
            yield WrongLine(entry, tuple(tasks), where, edit)


def _incidents(entries: Iterable[Entry]) -> list[Incident]:
    """Timeouts first, then crashes and so on; within each kind those that most submissions met."""
    who: dict[tuple[Outcome, Check], dict[str, Entry]] = {}
    said: dict[tuple[Outcome, Check], Counter[str]] = {}
    for entry in entries:
        for result in entry.by_check.values():
            for case in result.cases:
                if case.outcome in LOOKED_INTO:
                    key = case.outcome, result.check
                    who.setdefault(key, {})[entry.name] = entry
                    said.setdefault(key, Counter())[case.summary] += 1
    # A file that fails as it is imported fails every check: one line, not one per check.
    alike: dict[tuple[Outcome, tuple[str, ...]], list[Check]] = {}
    for (outcome, check), submissions in who.items():
        alike.setdefault((outcome, tuple(submissions)), []).append(check)
    found = [
        Incident(
            outcome,
            tuple(checks),
            sum((said[outcome, check] for check in checks), Counter()).most_common(1)[0][0],
            tuple(who[outcome, checks[0]].values()),
        )
        for (outcome, _), checks in alike.items()
    ]
    return sorted(found, key=lambda entry: (LOOKED_INTO.index(entry.outcome), -len(entry.submissions)))


def _troubles(entries: Iterable[Entry]) -> list[Trouble]:
    return [Trouble(entry, _status(entry), _reason(entry)) for entry in entries if not entry.counts]


def _status(entry: Entry) -> str:
    graded = entry.graded
    if graded is None:
        return "no record"
    if not entry.listed:
        return "left over"
    if graded.status != "graded":
        return graded.status.replace("_", " ")
    return "graded" if graded.complete else "unfinished"


def _reason(entry: Entry) -> str:
    graded = entry.graded
    if graded is None:
        return "graded.json is missing or damaged: grade again with --resume"
    if not entry.listed:
        return "not in grades.csv: an earlier run left it behind"
    if graded.status != "graded":
        return graded.reason
    return "its grading was interrupted: grade again with --resume"


def _row(entry: Entry) -> SubmissionRow:
    results = entry.graded.results if entry.graded else ()
    cases = [case for result in results for case in result.cases]
    met = {case.outcome for case in cases}
    return SubmissionRow(
        entry,
        _status(entry),
        tuple(sorted({case.mistake for case in cases if case.mistake})),
        tuple(outcome for outcome in LOOKED_INTO if outcome in met),
        len(entry.graded.flags) if entry.graded else 0,
    )


def _times(counted: Sequence[Entry]) -> Times | None:
    if not counted:
        return None
    seconds = [entry.graded.elapsed_s for entry in counted]
    longest = max(counted, key=lambda entry: entry.graded.elapsed_s)
    return Times(
        sum(seconds),
        averages.median(seconds),
        percentile(seconds, 0.95),
        longest.graded.elapsed_s,
        longest,
        max(entry.graded.peak_mib for entry in counted),
    )


def _isolation(entries: Iterable[Entry]) -> list[tuple[str, int]]:
    lines: Counter[str] = Counter()
    for entry in entries:
        if entry.graded and entry.graded.status == "graded":
            lines[_isolation_line(entry.graded.isolation)] += 1
    return lines.most_common()


def _isolation_line(described: dict[str, object]) -> str:
    try:
        return Isolation(**described).line()
    except TypeError:  # recorded by another version
        return ", ".join(f"{key}: {value}" for key, value in described.items()) or "not recorded"
