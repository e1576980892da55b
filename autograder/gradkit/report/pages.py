"""Writes the report: one page for the class, and one for each student, which can be handed out.

Names and texts come from submissions, so nothing of them is trusted: the templates escape all that they are given, control
characters are taken out, and a page's policy lets no script run but the report's own, known by its hash. Nothing is loaded
from anywhere.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import markupsafe

from gradkit import results
from gradkit.files import generator, replaced
from gradkit.manifest import Manifest
from gradkit.model import Graded
from gradkit.report.changes import KINDS, Changes, signed
from gradkit.report.data import Entry, read_run
from gradkit.report.statistics import Bin
from gradkit.report.student import student_page
from gradkit.report.summary import Summary, summarize
from gradkit.safetext import page_text
from gradkit.similarity import Pair

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "report"
_SECTIONS = {
    "not-graded": "Not in the figures",
    "scores": "Scores",
    "tasks": "Tasks",
    "checks": "Checks",
    "misconceptions": "Misconceptions",
    "lines": "Lines to look at",
    "outcomes": "Timeouts and crashes",
    "flags": "Flagged calls",
    "pairs": "Pairs that are alike",
    "set-by-staff": "Set by staff",
    "grading": "Grading",
    "submissions": "Submissions",
}
_CHANGED = {
    "score": ("scores", "Scores", "Submissions whose score changed, and on which checks."),
    "now": ("now-graded", "Graded now", "Submissions that have a score now and had none before."),
    "no-longer": ("not-graded", "No longer graded", "Submissions that had a score and have none now."),
    "status": ("status", "Status", "Submissions with another status, and no other score."),
    "checks": ("other-checks", "Same score, other checks", "Submissions whose changes cancel out."),
    "hints": ("hints", "Hints", "Submissions with the same score, and another hint for these checks."),
    "only-new": ("only-new", "Only in the new run", "Submissions that are not in the old run."),
    "only-old": ("only-old", "Only in the old run", "Submissions that are not in the new run."),
    "same": ("unchanged", "Unchanged", ""),
}
"""By kind of change: its section's id and title, and what its table shows."""
INDEX = "index.html"
STUDENTS, PAIRS = "students", "pairs"
AROUND = 3  # lines shown before and after what a pair shares


def write_report(
    run_folder: Path,
    out: Path,
    manifest_of: Callable[[str], Manifest | None] = lambda id: None,
    *,
    alike: tuple[Sequence[Pair], Mapping[str, str]] | None = None,
) -> Summary:
    """Write the report of a run into the folder `out`, in place of an earlier report there.

    Args:
        run_folder: What `gradkit grade --out` wrote.
        out: Gets index.html, students/NAME.html and pairs/NUMBER.html.
        manifest_of: Gives the manifest of the assignment with this id, for titles; None where it is not known.
        alike: Pairs of submissions to look at, and all submissions' texts; None where they were not compared.

    Returns:
        What the class's page shows.

    Raises:
        InputError: When `run_folder` holds no run, or `out` is something else than a report or can't be written. Nothing
            half-written is left.
    """
    run = read_run(run_folder)
    summary = summarize(run, manifest_of(run.assignment))
    with replaced(out, "report") as new:
        (new / STUDENTS).mkdir()
        _write(summary, new, alike)
    return summary


def _write(summary: Summary, folder: Path, alike: tuple[Sequence[Pair], Mapping[str, str]] | None) -> None:
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    js = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    environment = _environment()
    here = {"not-graded": summary.troubles, "set-by-staff": summary.given}  # sections that may be missing
    # The files are the kit's own and hold no closing tag, so they stand in the page as they are.
    page = environment.get_template("index.html.j2").render(
        summary=summary,
        pairs=alike[0] if alike else None,
        by_name={entry.name: entry for entry in summary.run.entries},
        chart=chart(summary.scores.bins) if summary.scores else None,
        sections=[(id, name) for id, name in _SECTIONS.items() if here.get(id, True)],
        css=markupsafe.Markup(css),
        js=markupsafe.Markup(js),
        policy=policy(css, js),
    )
    (folder / INDEX).write_text(page, encoding="utf-8", newline="\n")
    pairs, texts = alike or ((), {})
    for number, pair in enumerate(pairs, start=1):
        (folder / PAIRS).mkdir(exist_ok=True)
        page = environment.get_template("pair.html.j2").render(
            pair=pair,
            one=_parts(texts[pair.one], pair.spans[0]),
            other=_parts(texts[pair.other], pair.spans[1]),
            title=summary.title,
            css=markupsafe.Markup(css),
            policy=policy(css),
        )
        (folder / PAIRS / f"{number}.html").write_text(page, encoding="utf-8", newline="\n")
    for entry in summary.run.entries:
        if entry.graded:
            page = render_student(entry.graded, entry.name, summary)
            (folder / STUDENTS / f"{entry.name}.html").write_text(page, encoding="utf-8", newline="\n")


def render_student(graded: Graded, name: str, summary: Summary) -> str:
    """A student's page, whole in itself; `name` is at its head."""
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    titles = {task.id: task.title for task in summary.tasks}
    return (
        _environment()
        .get_template("student.html.j2")
        .render(
            page=student_page(graded, titles),
            name=name,
            title=summary.title,
            css=markupsafe.Markup(css),
            policy=policy(css),
        )
    )


def render_changes(changes: Changes, title: str) -> str:
    """The page of what is different between two runs, whole in itself; `title` is the assignment's."""
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    js = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    rows = {kind: changes.of(kind) for kind in KINDS}
    return (
        _environment()
        .get_template("changes.html.j2")
        .render(
            changes=changes,
            title=title,
            named=any(row.submitters for row in changes.rows),
            sections=[(_CHANGED[kind][0], _CHANGED[kind][1], found) for kind, found in rows.items() if found],
            explained={kind: text for kind, (_, _, text) in _CHANGED.items()},
            css=markupsafe.Markup(css),
            js=markupsafe.Markup(js),
            policy=policy(css, js),
        )
    )


def _parts(text: str, spans: Iterable[tuple[int, int]]) -> list[tuple[str, bool]]:
    """A text in parts: which are shared with the other one of a pair, and which are not. Long ones that are not are cut."""
    parts, at = [], 0
    for first, last in sorted(spans):
        if last > at:
            parts += [(text[at : max(first, at)], False), (text[max(first, at) : last], True)]
            at = last
    parts.append((text[at:], False))
    return [(part if shared else _shortened(part), shared) for part, shared in parts if part]


def _shortened(text: str) -> str:
    lines = text.split("\n")
    cut = len(lines) - 2 * AROUND
    if cut < 3:
        return text
    return "\n".join(
        [*lines[:AROUND], f"\N{MIDLINE HORIZONTAL ELLIPSIS} {cut} lines that are not shared", *lines[-AROUND:]]
    )


def policy(css: str, js: str = "", images: str = "") -> str:
    """A Content-Security-Policy under which only this style and this script count, and pictures from nowhere but `images`."""
    script = _hash(js) if js else "'none'"
    pictures = f" img-src {images};" if images else ""
    return f"default-src 'none';{pictures} style-src {_hash(css)}; script-src {script}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"


# ---- how values look ------------------------------------------------------------------------------------------------


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if not isinstance(value, str) else _cleaned(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(generator=markupsafe.Markup(generator("report")))
    environment.filters.update(
        change=signed,
        points=lambda value: f"{round(value, 2):g}",
        percent=lambda value: f"{100 * value:.0f}\N{NO-BREAK SPACE}%",
        two=lambda value: f"{value:.2f}",
        signed=lambda value: f"{value:+.2f}".replace("-", "\N{MINUS SIGN}"),
        seconds=lambda value: f"{value:.2f}" if value < 10 else f"{value:.0f}",
        duration=_duration,
        words=results.WORDS.__getitem__,
        anchor=lambda name: f"mistake-{name}",
        page=page_of,
        breakable=lambda name: markupsafe.escape(page_text(name)).replace("_", markupsafe.Markup("_<wbr>")),
    )
    return environment


def _cleaned(text: str) -> str:
    return text if isinstance(text, markupsafe.Markup) else page_text(text)


def page_of(entry: Entry) -> str:
    """Where a student's page lies, as a link from the class's."""
    return f"{STUDENTS}/{urllib.parse.quote(os.fsencode(entry.name))}.html"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram: what it counts, and its rectangle."""

    label: str
    count: int
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True)
class Tick:
    """A mark on the axis below the bars."""

    x: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A histogram's geometry, in the units of its view box."""

    width: int
    height: int
    left: float
    right: float
    base: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


def chart(bins: tuple[Bin, ...], *, width: int = 440, height: int = 220) -> Chart:
    """Bars as high as their counts, with room above for the count and below for the axis."""
    left, right, top, base = 16.0, width - 16.0, 24.0, height - 46.0
    step = (right - left) / len(bins)
    most = max(bin.count for bin in bins) or 1
    bars = []
    for number, bin in enumerate(bins):
        tall = (base - top) * bin.count / most
        label = f"{100 * bin.low:.0f} to {100 * bin.high:.0f}"
        bars.append(
            Bar(
                label,
                bin.count,
                round(left + number * step + 2, 2),
                round(base - tall, 2),
                round(step - 4, 2),
                round(tall, 2),
            )
        )
    ticks = [Tick(round(left + i * step, 2), f"{100 * i / len(bins):.0f}") for i in range(len(bins) + 1)]
    return Chart(width, height, left, right, base, tuple(bars), tuple(ticks))
