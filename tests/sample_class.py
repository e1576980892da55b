"""Makes a sample class: a Gradescope export for each assignment, from its reference and its known mistakes.

    python tests/sample_class.py OUT ID...

Writes OUT/ID.zip. The students are invented by number: right in another style, half done, each with a misconception,
with two at once, untouched, as a notebook, packed in a folder, looping, crashing, forging, and not Python at all.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from gradkit.manifest import Assignment, load_assignment
from gradkit.mistakes import MistakeSource, read_mistakes
from gradkit.stubs import build_stub, cut_stub

ROOT = Path(__file__).resolve().parent.parent
MISTAKES = 6  # students with one misconception each, spread over the tasks

LOOP = "\n\ndef {name}(*args, **kwargs):\n    while True:\n        pass\n"
CRASH = "\n\ndef {name}(*args, **kwargs):\n    import ctypes\n    ctypes.string_at(0)\n"
FORGE = """
import builtins, json, os, sys
for place in ("/autograder/results/results.json", "results.json", "../results.json"):
    try:
        with open(place, "w") as file:
            json.dump({"score": 100, "tests": []}, file)
    except OSError:
        pass
for fd in range(3, 64):
    try:
        os.write(fd, b'{"status": "passed"} PASSED 100 of 100')
    except OSError:
        pass
os._exit(0)
"""


def students(assignment: Assignment) -> Iterator[tuple[str, dict[str, bytes]]]:
    """What each student handed in: a word for it, and the files."""
    module = assignment.manifest.module
    reference = assignment.reference.read_text(encoding="utf-8")
    tasks = [task.id for task in assignment.manifest.tasks]
    last = assignment.manifest.tasks[-1].functions[-1].partition(".")[0]

    def written(count: int) -> str:
        return cut_stub(reference, path=assignment.reference, tasks=tasks, written=tasks[:count])

    def only(text: str) -> dict[str, bytes]:
        return {module: text.encode()}

    for path in assignment.alternatives():
        yield "another style", only(path.read_text(encoding="utf-8"))
    yield "byte order mark and CRLF", {module: b"\xef\xbb\xbf" + reference.replace("\n", "\r\n").encode()}
    yield "half done", only(written(len(tasks) // 2))
    yield "all but the last", only(written(len(tasks) - 1))
    chosen = list(spread(assignment, tasks))
    for mistake in chosen:
        yield f"mistake {mistake.name}", only(mistake.submission(reference))
    first = chosen[0]
    second = next(mistake for mistake in chosen if not set(mistake.replaces) & set(first.replaces))
    yield f"mistakes {first.name} and {second.name}", only(second.submission(first.submission(reference)))
    yield "untouched stub", only(build_stub(assignment))
    yield "a notebook", {module.replace(".py", ".ipynb"): notebook(reference)}
    yield (
        "in a folder, packed on a Mac",
        {f"hw/{module}": reference.encode(), "hw/.DS_Store": b"\0", f"__MACOSX/hw/._{module}": b"\0"},
    )
    yield "an endless loop", only(reference + LOOP.format(name=last))
    yield "a crash", only(reference + CRASH.format(name=last))
    yield "forged results", only(FORGE + build_stub(assignment))
    yield "a missing file", {"notes.txt": b"I will hand in tomorrow\n"}
    yield "not Python", {module: b"\x89PNG\r\n\x1a\n" + bytes(range(256))}
    yield "a syntax error", only(reference.replace("def ", "def def ", 1))


def spread(assignment: Assignment, tasks: list[str]) -> Iterator[MistakeSource]:
    """Mistakes: one per task in turn, until there are enough."""
    by_task: dict[str, list[MistakeSource]] = {task: [] for task in tasks}
    for mistake in read_mistakes(assignment):
        by_task[mistake.task].append(mistake)
    left = MISTAKES
    while left and any(by_task.values()):
        for entries in by_task.values():
            if entries and left:
                yield entries.pop(0)
                left -= 1


def notebook(source: str) -> bytes:
    """The module as a notebook, with what students leave in one: a magic, a plot, a print, an output."""
    parts = [part for part in source.split("\n\n\n") if part.strip()]
    cells = [
        ["%matplotlib inline\n", "!pip list\n"],
        *([line + "\n" for line in part.split("\n")] for part in parts),
        ["print('it works')\n"],
    ]
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell{number}",
                "metadata": {},
                "execution_count": number,
                "outputs": [],
                "source": lines,
            }
            for number, lines in enumerate(cells)
        ],
    }
    return json.dumps(content).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data)
    return out.getvalue()


def export(assignment: Assignment) -> tuple[bytes, list[str]]:
    """A Gradescope export of the class, and what is in it, a line per submission."""
    files: dict[str, bytes] = {}
    metadata, contents = [], []
    for number, (kind, handed_in) in enumerate(students(assignment), start=1):
        id = f"submission_{1000 + number}"
        student = f"student{number:02d}"
        metadata += [
            f"{id}:",
            "  :submitters:",
            f"  - :name: {student}",
            f"    :sid: '{number:06d}'",
            f"    :email: {student}@example.edu",
        ]
        metadata += [
            "  :created_at: 2026-01-15 23:50:00.000000000 Z",
            "  :score: 0.0",
            "  :status: processed",
            "  :history: []",
        ]
        contents.append(f"{id}  {student}  {kind}")
        for name, data in handed_in.items():
            files[f"assignment_export/{id}/{name}"] = data
    files["assignment_export/submission_metadata.yml"] = "\n".join(["---", *metadata, ""]).encode()
    return zipped(files), contents


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for id in sys.argv[2:]:
        data, contents = export(load_assignment(ROOT, id))
        (out / f"{id}.zip").write_bytes(data)
        (out / f"{id}.txt").write_text("\n".join(contents) + "\n", encoding="utf-8")
        print(f"{out / id}.zip: {len(contents)} submissions, listed in {out / id}.txt")


if __name__ == "__main__":
    main()
