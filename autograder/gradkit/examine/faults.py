"""All that is wrong with an assignment's files and can be said without running any of them, a line each."""

from __future__ import annotations

import contextlib
import keyword
import sys
from collections.abc import Iterable, Iterator

from gradkit.errors import AuthoringError
from gradkit.examine.asked import FILE as ASKED
from gradkit.examine.asked import asked_faults
from gradkit.examine.checks import STUDENTS_LIBRARIES, check_faults, own_check_faults, tolerance_faults
from gradkit.examine.handout import handout_faults
from gradkit.examine.leaks import hints, leak_faults
from gradkit.examine.sources import Fault, Sources, defined, imports, line_of
from gradkit.lint import find_banned
from gradkit.manifest import Assignment, load_manifest, needs_faults
from gradkit.mistakes import read_mistakes, try_mistakes
from gradkit.notebooks.write import notebook_text
from gradkit.stubs import build_stub

FEWEST_TASKS, MOST_TASKS = 4, 9
FEWEST_MISTAKES = 12
RESERVED = frozenset({"conftest", "figures", "test_hidden"})  # files of these names have another meaning beside it


def static_faults(assignment: Assignment) -> list[str]:
    """Everything that is wrong, all at once; nothing is run.

    A draft may lack what `release_gaps` lists.

    Returns:
        Lines such as `file:line: what is wrong; what to do`, those that make grades wrong first.
    """
    sources = Sources()
    found = [*_blocking(assignment, sources), *_rest(assignment, sources)]
    found += _notebook_faults(assignment, told=any(fault.blocks for fault in [*sources.faults, *found]))
    if not assignment.manifest.draft:
        found += [Fault(gap, blocks=False) for gap in _release_gaps(assignment, sources)]
    return _texts([*sources.faults, *found])


def grading_faults(assignment: Assignment) -> list[str]:
    """Those that make a grade wrong, or differ from what students were given. Takes a few hundredths of a second."""
    sources = Sources()
    found = list(_blocking(assignment, sources))
    return _texts(fault for fault in [*sources.faults, *found] if fault.blocks)


def bundle_faults(assignment: Assignment) -> list[str]:
    """Those that make what leaves the kit wrong: the grading faults, and a stale notebook."""
    found = grading_faults(assignment)
    return found + _texts(_notebook_faults(assignment, told=bool(found)))


def release_gaps(assignment: Assignment) -> list[str]:
    """What a draft lacks, by the rules for an assignment that students get."""
    return _release_gaps(assignment, Sources())


def _release_gaps(assignment: Assignment, sources: Sources) -> list[str]:
    manifest = assignment.public / "assignment.toml"
    tasks, mistakes = len(assignment.manifest.tasks), sum(1 for _ in hints(assignment, sources))
    gaps = []
    for path, what in (
        (assignment.public / "figures.py", "draws from the student's own code"),
        (assignment.hidden / "notes.md", "tells staff the conventions, tolerances and common errors"),
        (
            assignment.hidden / ASKED,
            "lists the forms of what students are to find themselves, which stand nowhere in their bundle",
        ),
    ):
        if not path.is_file():
            gaps.append(f"{path}: missing; it {what}")
    if not assignment.alternatives():
        gaps.append(
            f"{assignment.hidden / 'alternatives'}: holds no solution in another style, which must get full marks"
        )
    if not FEWEST_TASKS <= tasks <= MOST_TASKS:
        gaps.append(f"{manifest}: {tasks} tasks; a released assignment has {FEWEST_TASKS} to {MOST_TASKS}")
    if mistakes < FEWEST_MISTAKES:
        gaps.append(
            f"{assignment.hidden / 'mistakes'}: {mistakes} mistakes; a released assignment knows {FEWEST_MISTAKES} or more"
        )
    for path in (manifest, assignment.public / "README.md", assignment.hidden / "notes.md", assignment.hidden / ASKED):
        if path.is_file():
            lines = [number for number, line in enumerate(sources.text(path).splitlines(), 1) if "TODO" in line]
            more = f", and on {len(lines) - 1} lines more" if len(lines) > 1 else ""
            gaps += [f"{path}:{lines[0]}: still says TODO{more}"] if lines else []
    return gaps


def first_of(faults: list[str], assignment: Assignment) -> str:
    """The first of several faults, the number of the others, and the command that shows them."""
    more = f" (and {len(faults) - 1} more; run gradkit verify {assignment.id})" if len(faults) > 1 else ""
    return f"{faults[0]}{more}"


def refuse_faults(assignment: Assignment, faults: list[str]) -> None:
    """Go on only where there are none.

    Raises:
        AuthoringError: With the first of them.
    """
    if faults:
        raise AuthoringError(first_of(faults, assignment))


def reserved_name(id: str) -> str:
    """Why an assignment can't be called so, its module being `ID.py`; empty if it can."""
    if keyword.iskeyword(id):
        return f"{id} is a word of Python's"
    if id in RESERVED or id.startswith("test_"):
        return f"{id}.py has a meaning of its own to pytest or the kit"
    if id in sys.stdlib_module_names or id in sys.builtin_module_names:
        return f"{id} is a module of Python's, and the two would hide each other"
    if id in STUDENTS_LIBRARIES or id == "gradkit":
        return f"{id} is a library that the course uses, and the two would hide each other"
    return ""


def _texts(faults: Iterable[Fault]) -> list[str]:
    return list(dict.fromkeys(fault.text for fault in sorted(faults, key=lambda fault: not fault.blocks)))


def _blocking(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """Faults of the files that decide a grade, and of what students were told about it."""
    if reason := reserved_name(assignment.module_name):
        yield Fault(f"{assignment.stub}: {reason}; rename the assignment", blocks=False)
    yield from _reference_faults(assignment, sources)
    yield from check_faults(assignment, sources)
    yield from handout_faults(assignment, sources)
    yield from _mistake_faults(assignment, sources)


def _reference_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """The reference defines what the tasks name, and the stub is cut from it."""
    reference = assignment.reference
    tree = sources.tree(reference)
    if tree is None:
        return
    names = defined(tree)
    for task in assignment.manifest.tasks:
        for name in task.functions:
            if name not in names:
                yield Fault(f"{reference}: task {task.id} names {name}, which is not defined")
    try:
        stub = build_stub(assignment)
    except AuthoringError as error:
        yield Fault(str(error))
        return
    if not assignment.stub.is_file():
        yield Fault(f"{assignment.stub}: missing; run gradkit build {assignment.id}")
    elif assignment.stub.read_text(encoding="utf-8", errors="replace") != stub:
        yield Fault(f"{assignment.stub}: stale; run gradkit build {assignment.id}")


def _notebook_faults(assignment: Assignment, *, told: bool) -> Iterator[Fault]:
    """A notebook that is not what its sources give. `told`: what is wrong with those is known already."""
    try:
        text = notebook_text(assignment)
    except AuthoringError as error:
        if not told:
            yield Fault(str(error))
        return
    if not assignment.notebook.is_file():
        yield Fault(f"{assignment.notebook}: missing; run gradkit build {assignment.id}")
    elif assignment.notebook.read_text(encoding="utf-8", errors="replace") != text:
        yield Fault(f"{assignment.notebook}: stale; run gradkit build {assignment.id}")


def _rest(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """Faults that no grade depends on."""
    yield from tolerance_faults(assignment, sources)
    yield from _library_faults(assignment, sources)
    yield from _banned_faults(assignment, sources)
    yield from _alternative_faults(assignment, sources)
    yield from _patch_faults(assignment, sources)
    yield from _figure_faults(assignment, sources)
    yield from leak_faults(assignment, sources)
    yield from asked_faults(assignment, sources)
    yield from own_check_faults(assignment, sources)
    yield from _needs_faults(assignment)


def _needs_faults(assignment: Assignment) -> Iterator[Fault]:
    """Of its own place in the course; what is wrong with another one's manifest is told of that one."""
    path = assignment.public / "assignment.toml"
    course = [assignment.manifest]
    for other in assignment.public.parent.glob("*/assignment.toml"):
        with contextlib.suppress(AuthoringError):
            course += [load_manifest(other)] if other != path else []
    if said := needs_faults(course).get(assignment.id):
        yield Fault(f"{path}: {said}", blocks=False)


def _library_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """Imports of a reference or a second solution that are not there when a submission is graded."""
    there = {*sys.stdlib_module_names, *(name.partition(".")[0] for name in assignment.manifest.libraries)}
    there |= {"regex", "coursekit"}
    for path in (assignment.reference, *assignment.alternatives()):
        for line, name in imports(tree) if (tree := sources.tree(path)) is not None else ():
            if name.partition(".")[0] not in there:
                yield Fault(
                    f"{path}:{line}: imports {name}, which a submission can't; "
                    f"the manifest's libraries are {', '.join(assignment.manifest.libraries)}",
                    blocks=False,
                )


def _banned_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    for path in (assignment.reference, *assignment.alternatives()):
        if sources.tree(path) is not None:
            for finding in find_banned(sources.text(path), assignment.manifest):
                yield Fault(finding.text(f"{path}:{finding.line}"), blocks=False)


def _alternative_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    for path in assignment.alternatives():
        if (tree := sources.tree(path)) is not None:
            names = defined(tree)
            for task in assignment.manifest.tasks:
                for name in task.functions:
                    if name.partition(".")[0] not in names:
                        yield Fault(f"{path}: defines no {name}, which task {task.id} asks for", blocks=False)


def _mistake_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """One that can't be read would stop the judge."""
    if sources.tree(assignment.reference) is None:  # which they are edits of
        return
    known, faults = try_mistakes(assignment)
    yield from (Fault(str(fault)) for fault in faults)
    if not known and not faults:
        yield Fault(
            f"{assignment.hidden / 'mistakes'}: holds no mistake; each is a hint for students and a test of the checks",
            blocks=False,
        )


def _patch_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """Edits after which the function is no Python, or the same; read only when nothing else is wrong with them."""
    if sources.tree(assignment.reference) is None:
        return
    try:
        known = read_mistakes(assignment)
    except AuthoringError:  # told already
        return
    for mistake in known:
        try:
            mistake.patch()
        except AuthoringError as error:
            yield Fault(str(error))


def _figure_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """`figures.py` is Python, imports what students have, and draws from the module beside it."""
    path = assignment.public / "figures.py"
    if not path.is_file() or (tree := sources.tree(path)) is None:
        return
    beside = {other.stem for other in path.parent.glob("*.py")}
    for line, name in imports(tree):
        top = name.partition(".")[0]
        if top not in STUDENTS_LIBRARIES | beside and top not in sys.stdlib_module_names:
            yield Fault(f"{path}:{line}: imports {name}, which students don't have")
    text = sources.text(path)
    if "@figure(" not in text:
        yield Fault(f"{path}: draws nothing: no function has the decorator @figure(…)")
    if f'main("{assignment.module_name}"' not in text:
        line = line_of(text, "main(")
        yield Fault(
            f'{path}:{line}: must end with main("{assignment.module_name}"), which draws from {assignment.manifest.module}'
        )
