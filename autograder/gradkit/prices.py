"""What verify prints: which check fails on which mistake, and what each mistake costs."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from gradkit.model import CheckResult, Outcome
from gradkit.verify import Report, Variant, counted, is_damaged


@dataclass(frozen=True)
class Price:
    """What a mistake costs whoever makes it.

    Attributes:
        points: Lost in all checks together, those of other tasks among them, at the one seed that was graded.
        share: The same in its own task's points.
        reason: Why it may be more than a third of them, or empty.
    """

    mistake: str
    task: str
    points: float
    share: float
    reason: str

    @property
    def mark(self) -> str:
        """`!` where it costs too much and nobody said why, `*` where somebody did, `?` where there is nothing to explain."""
        if self.share > MOST + 1e-9:
            return "*" if self.reason else "!"
        return "?" if self.reason else ""


MOST = 1 / 3  # of a task's points, for one mistake


def prices(report: Report) -> list[Price]:
    """What each mistake costs, by task, the dearest first."""
    found = []
    for variant, graded in report.rows.values():
        if variant.kind == "mistake":
            lost = graded.max_score - graded.score
            found.append(Price(variant.name, variant.task, lost, lost / report.tasks[variant.task], variant.costly))
    order = list(report.tasks)
    return sorted(found, key=lambda price: (order.index(price.task), -price.points, price.mistake))


def price_list(report: Report) -> str:
    """What each mistake costs, as text: a paragraph per task, the dearest first."""
    all_prices = prices(report)
    marks = [price.mark for price in all_prices]
    lines = [
        f"what a mistake costs: {counted(marks.count('!'), 'mistake')} above a third of the task's points without a reason (!), "
        f"{marks.count('*')} with one (*)"
        + (f", {marks.count('?')} with a reason that needs none (?)" if "?" in marks else "")
    ]
    for task, points in report.tasks.items():
        mine = [price for price in all_prices if price.task == task]
        listed = ", ".join(f"{price.mistake}\N{NO-BREAK SPACE}{price.points:.4g}{price.mark}" for price in mine)
        if mine:
            text = f"{task}, {points:g} points: {listed}"
            lines += textwrap.wrap(text, 120, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def told(report: Report) -> list[str]:
    """What a student with each mistake reads, a line a check: its number, what was observed, and whose hint."""
    lines = []
    for variant, graded in report.rows.values():
        for result in graded.results if variant.kind in ("mistake", "decoy") else ():
            if result.ran and result.outcome is not Outcome.PASSED:
                case = next(case for case in result.cases if case.outcome is not Outcome.PASSED)
                hint = f"; the hint of {case.mistake}" if case.mistake else "; no hint"
                lines.append(f"{result.check.number:<5} {case.summary}{hint}")
    return lines


def matrix(report: Report) -> str:
    """The kill matrix as text: a row per mistake and vandal, a column per check.

    `x` fails, `H` fails and shows the mistake's own hint, `.` passes, `=` the vandal changes nothing there, `-` was not run. Beside
    a mistake stands its price, and its mark where that is more than a third of its task's points. Empty where nothing was run.
    """
    if not report.rows:
        return ""
    marks = {price.mistake: f"{price.points:7.2f}{price.mark or ' '}" for price in prices(report)}
    lines = [f"{report.assignment}: {report.summary()}", ""]
    lines += [f"{number:>3}  {check.number:<5} {check.id}" for number, check in enumerate(report.checks, 1)]
    for kind, meaning in (
        ("mistake", "known mistakes, and the points they cost"),
        ("decoy", "decoys, which look like other mistakes and are shown no hint, and the points they get"),
        ("vandal", "vandals: what the reference answers, damaged, and the points they get"),
    ):
        rows = [(variant, graded) for variant, graded in report.rows.values() if variant.kind == kind]
        if not rows:
            continue
        width = max(len(variant.name) for variant, _ in rows)
        lines += ["", meaning]
        for place in (100, 10, 1):
            digits = (
                f"{number // place % 10 if number >= place else ' '}" for number in range(1, len(report.checks) + 1)
            )
            if place <= len(report.checks):
                lines.append(" " * (width + 10) + "".join(digits))
        for variant, graded in rows:
            cells = "".join(_cell(result, variant) for result in graded.results)
            points = marks.get(variant.name, f"{graded.score:7.2f} ")
            lines.append(f"{variant.name:<{width}} {points} {cells}")
    lines += [
        "",
        "x: fails; H: fails and shows the mistake's own hint; .: passes; =: the vandal changes nothing there"
        + (
            "; -: needs a GPU, and was not run"
            if any(not result.ran for result in report.rows["reference"][1].results)
            else ""
        ),
        "!: costs more than a third of its task's points; *: so it does, for the reason that it gives",
    ]
    return "\n".join(lines) + "\n"


def _cell(result: CheckResult, variant: Variant) -> str:
    if not result.ran:
        return "-"
    if result.outcome is Outcome.PASSED:
        return "." if variant.kind != "vandal" or any(is_damaged(variant, case) for case in result.cases) else "="
    return "H" if any(case.mistake == variant.name for case in result.cases) else "x"
