"""Writes the gallery: an index, and a page for each assignment. Static, and each page whole in itself.

What is for staff only is not on it: no reference, no hidden check, no misconception's name, unless it is made for staff.
Figures drawn from the reference answer the handouts' predictions, so they are in a fold that says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jinja2
import markupsafe

from gradkit.errors import GradkitError
from gradkit.examine.checks import written_checks
from gradkit.examine.sources import Sources
from gradkit.files import generator, replaced
from gradkit.manifest import Assignment, Manifest
from gradkit.mistakes import read_mistakes
from gradkit.report.pages import policy
from gradkit.safetext import page_text
from gradkit.site.figures import Figure, draw_figures
from gradkit.site.graph import HEIGHT, WIDTH, course_graph
from gradkit.site.handout import data_uri, first_picture, render_handout
from gradkit.stubs import read_authored

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "site"
INDEX = "index.html"
KIND = "gallery"
TITLE = "Deep learning by building it"
_ANCHORS = ("content", "checks", "figures", "misconceptions", "matrix")  # of an assignment's page, beside its handout's


@dataclass(frozen=True)
class TaskRow:
    """A task, and what looks at it."""

    number: int
    title: str
    points: int
    minutes: int
    functions: int
    public: int
    hidden: int
    recognized: int  # misconceptions


@dataclass(frozen=True)
class Misconception:
    """For staff: a known mistake, and what it does."""

    task: str
    name: str
    why: str


def write_site(
    assignments: Sequence[Assignment],
    out: Path,
    *,
    title: str = TITLE,
    figures: bool = True,
    staff: bool = False,
    jobs: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """Write the gallery into the folder `out`, in place of an earlier one there.

    Args:
        assignments: In the course's order.
        out: Gets index.html and ID.html. Figures are kept beside it, in `.NAME-figures`, until what they show changes.
        title: The course's.
        figures: Draw the figures from the references, or leave them out.
        staff: Add what only staff may see: the misconceptions by name, and the kill matrix.
        jobs: How many assignments' figures are drawn at a time.
        tell: Takes a line for each assignment whose figures are there.

    Returns:
        A line for each assignment whose figures could not be drawn; its page is there without them.

    Raises:
        InputError: When `out` is something else than a gallery, or can't be written.
        AuthoringError: When an assignment's files are wrong.
    """
    cache = out.absolute().parent / f".{out.absolute().name}-figures"  # beside it: what is in `out` may be published

    def drawn(assignment: Assignment) -> tuple[list[Figure], str]:
        try:
            return draw_figures(assignment, cache), ""
        except GradkitError as error:
            return [], str(error)
        finally:
            tell(assignment.id)

    with replaced(out, KIND) as folder:
        if figures:
            with ThreadPoolExecutor(jobs) as pool:
                found = list(pool.map(drawn, assignments))
        else:
            found = [([], "") for _ in assignments]
        _write(assignments, [pictures for pictures, _ in found], folder, title, staff)
    return [problem for _, problem in found if problem]


def _write(
    assignments: Sequence[Assignment], pictures: Sequence[list[Figure]], folder: Path, title: str, staff: bool
) -> None:
    css = (_TEMPLATES / "site.css").read_text(encoding="utf-8")
    environment = _environment()
    manifests = [assignment.manifest for assignment in assignments]
    here = [manifest.id for manifest in manifests]
    shared = {
        "css": markupsafe.Markup(css),
        "policy": policy(css, images="data:"),
        "title": title,
        "staff": staff,
        "here": here,
        "titles": {manifest.id: manifest.title for manifest in manifests},
    }
    page = environment.get_template("index.html.j2").render(
        **shared,
        manifests=manifests,
        covers={assignment.id: _cover(assignment) for assignment in assignments},
        graph=course_graph(manifests),
        box=(WIDTH, HEIGHT),
        hours=sum(map(_minutes, manifests)) / 60,
    )
    (folder / INDEX).write_text(page, encoding="utf-8", newline="\n")
    template = environment.get_template("assignment.html.j2")
    places = dict(enumerate(manifests))
    for number, (assignment, drawn) in enumerate(zip(assignments, pictures, strict=True)):
        manifest = assignment.manifest
        page = template.render(
            **shared,
            manifest=manifest,
            tasks=_tasks(assignment),
            handout=markupsafe.Markup(_handout(assignment, here)),
            figures=[(figure, data_uri(figure.path)) for figure in drawn],
            before=places.get(number - 1),
            after=places.get(number + 1),
            used_by=[one.id for one in manifests if manifest.id in one.needs],
            misconceptions=_misconceptions(assignment) if staff else (),
            matrix=_matrix(assignment) if staff else "",
        )
        (folder / f"{manifest.id}.html").write_text(page, encoding="utf-8", newline="\n")


def _handout(assignment: Assignment, here: Sequence[str]) -> str:
    path = assignment.public / "README.md"
    return render_handout(read_authored(path), path, pages=here, taken=_ANCHORS)


def _matrix(assignment: Assignment) -> str:
    path = assignment.hidden / "kill_matrix.txt"
    return read_authored(path) if path.is_file() else ""


def _cover(assignment: Assignment) -> str:
    """The handout's first picture, for the index; empty where it has none."""
    path = assignment.public / "README.md"
    shown = first_picture(read_authored(path), path)
    return data_uri(shown) if shown else ""


def _tasks(assignment: Assignment) -> list[TaskRow]:
    sources = Sources()
    counts: dict[str, Counter] = {}
    for side, path in (("public", assignment.public_tests), ("hidden", assignment.hidden_tests)):
        tree = sources.tree(path)
        counts[side] = Counter(check.task for check in written_checks(path, tree)) if tree else Counter()
    counts["known"] = Counter(mistake.task for mistake in read_mistakes(assignment) if not mistake.decoy)
    return [
        TaskRow(
            number,
            task.title,
            task.points,
            task.minutes,
            len(task.functions),
            *(counts[kind][task.id] for kind in ("public", "hidden", "known")),
        )
        for number, task in enumerate(assignment.manifest.tasks, start=1)
    ]


def _misconceptions(assignment: Assignment) -> list[Misconception]:
    order = [task.id for task in assignment.manifest.tasks]
    known = [Misconception(one.task, one.name, one.why) for one in read_mistakes(assignment) if not one.decoy]
    return sorted(known, key=lambda one: (order.index(one.task), one.name))


def _minutes(manifest: Manifest) -> int:
    return sum(task.minutes for task in manifest.tasks)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: page_text(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(generator=markupsafe.Markup(generator(KIND)))
    environment.filters.update(hours=lambda manifest: f"{_minutes(manifest) / 60:.1f}")
    return environment
