"""Runs public checks, figures and the handout's snippets on the reference where students run them: in their bundle, alone."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gradkit.bundle import student_bundle
from gradkit.examine.handout import snippets
from gradkit.manifest import Assignment

LIMIT_S = 300.0  # for the checks, the figures and the snippets
_LONGEST = 300  # characters of a message

# Both run beside each other in an isolated Python: no PYTHONPATH, no user's packages, not this checkout's. `coursekit` is
# the bundle's, wherever else one is installed, and nothing of the kit's other parts can be imported.
_ALONE = """
import importlib.machinery, os, runpy, sys

bundle, script, *arguments = sys.argv[1:]


class Alone:
    def find_spec(self, name, path=None, target=None):
        if name == "coursekit":
            return importlib.machinery.PathFinder.find_spec(name, [bundle])
        if name.partition(".")[0] in ("gradkit", "solutions", "test_hidden"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


sys.meta_path.insert(0, Alone())
sys.path.insert(0, os.getcwd())
"""

_CHECKS = (
    _ALONE
    + """
import json, traceback
import pytest
from pathlib import Path


class Faults:
    def __init__(self):
        self.found, self.ran = [], 0

    def pytest_runtest_logreport(self, report):
        self.ran += report.when == "call"

    def pytest_exception_interact(self, node, call, report):
        error = call.excinfo.value
        if type(error).__name__ == "CollectError":
            error = error.__cause__ or error
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if Path(frame.filename) == Path(node.path)]
        name = "" if report.when == "collect" else node.name
        said = str(error).strip().splitlines()
        self.found.append([name, lines[-1] if lines else 0, type(error).__name__, said[0] if said else ""])


faults = Faults()
code = pytest.main(["-q", "-p", "no:cacheprovider", script, *arguments], plugins=[faults])
print("\\n" + json.dumps({"code": int(code), "ran": faults.ran, "found": faults.found}))
"""
)

_FIGURES = (
    _ALONE
    + """
sys.argv = [script]
runpy.run_path(script, run_name="__main__")
"""
)

# As pasted into `python figures.py -i`: the blocks of one section one after the other, those of another from the start. `script` is
# the module; the snippets come as JSON. A line for each: that it begins, and what it raised, with its line in the handout.
_SNIPPETS = (
    _ALONE
    + """
import json, traceback

def say(**what):
    print("\\nsnippet " + json.dumps(what), flush=True)

module = runpy.run_path(script, run_name="pasted")
section, names = None, {}
for snippet in json.loads(arguments[0]):
    if snippet["section"] != section:
        section, names = snippet["section"], dict(module)
    say(begun=snippet["line"])
    try:
        exec(compile("\\n" * (snippet["line"] - 1) + snippet["code"], "README.md", "exec"), names)
    except SyntaxError as error:
        say(line=error.lineno, error=f"{type(error).__name__}: {error.msg}")
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "README.md"]
        say(line=lines[0] if lines else snippet["line"], error=f"{type(error).__name__}: {error}")
"""
)


def rehearse(assignment: Assignment, *, limit_s: float = LIMIT_S) -> list[str]:
    """What goes wrong for a student who has solved everything: their bundle, with the reference in the stub's place.

    Args:
        assignment: One without static faults.
        limit_s: How long the checks, the figures and the snippets may take.

    Returns:
        A line for each public check that fails, each figure that is not drawn and each snippet that raises, with file and
        line where known.
    """
    with tempfile.TemporaryDirectory(prefix="gradkit-rehearsal-") as scratch:
        bundle = Path(scratch) / "course"
        student_bundle([assignment], bundle, agents_file=False)
        folder = bundle / assignment.id
        shutil.copyfile(assignment.reference, folder / assignment.manifest.module)
        checks = _start(_CHECKS, bundle, folder, assignment.public_tests.name)
        figures = _start(_FIGURES, bundle, folder, "figures.py") if (folder / "figures.py").is_file() else None
        pasted = snippets((assignment.public / "README.md").read_text(encoding="utf-8"))
        shown = json.dumps([dataclasses.asdict(snippet) for snippet in pasted])
        snippet = _start(_SNIPPETS, bundle, folder, assignment.manifest.module, shown) if pasted else None
        deadline = time.monotonic() + limit_s
        problems = _check_problems(assignment, *_ended(checks, deadline))
        if figures is not None:
            problems += _figure_problems(assignment, folder / "figures", *_ended(figures, deadline))
        if snippet is not None:
            problems += _snippet_problems(assignment, *_ended(snippet, deadline))
        return problems


def _start(code: str, bundle: Path, folder: Path, script: str, *arguments: str) -> subprocess.Popen:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    environment = kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-I", "-B", "-X", "utf8", "-c", code, str(bundle), script, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )


def _ended(process: subprocess.Popen, deadline: float) -> tuple[int | None, str]:
    """The exit code and what was printed; None for one that had to be stopped."""
    try:
        said, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        return None, process.communicate()[0]
    return process.returncode, said


def _check_problems(assignment: Assignment, code: int | None, said: str) -> list[str]:
    path = assignment.public_tests
    if code is None:
        return [f"{path}: in the students' folder, the public checks don't end on the reference"]
    try:
        told = json.loads(said.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return [f"{path}: in the students' folder, pytest broke off: {_last(said)}"]
    problems = []
    for name, line, kind, message in told["found"]:
        place = f"{path}:{line}" if line else str(path)
        what = f"{name} fails on the reference" if name else "can't be imported"
        text = message if kind in ("Failed", "Mismatch") else f"{kind}: {message}"
        problems.append(f"{place}: {what} in the students' folder: {text[:_LONGEST]}")
    if not problems and (told["code"] or not told["ran"]):
        problems.append(f"{path}: in the students' folder, pytest ends with {told['code']} after {told['ran']} checks")
    return problems


def _figure_problems(assignment: Assignment, drawn: Path, code: int | None, said: str) -> list[str]:
    path = assignment.public / "figures.py"
    if code is None:
        return [f"{path}: in the students' folder, the figures don't end on the reference"]
    problems = []
    for line in said.splitlines():
        if match := re.match(r"drew figures/(\w+)\.svg and \.png \((without the parts that wait for .*?)\)", line):
            problems.append(f"{path}: on the reference in the students' folder, {match[1]} is drawn {match[2]}")
        elif match := re.match(r"(failed|skipped): (.*)", line):
            at = re.search(r"\bfigures\.py:(\d+)", match[2])
            place = f"{path}:{at[1]}" if at else str(path)
            problems.append(f"{place}: {match[1]} on the reference in the students' folder: {match[2][:_LONGEST]}")
    if code and not problems:
        places = re.findall(r'figures\.py", line (\d+)', said)
        place = f"{path}:{places[-1]}" if places else str(path)
        problems.append(f"{place}: fails on the reference in the students' folder: {_last(said)}")
    if not problems and not {".svg", ".png"} <= {file.suffix for file in drawn.glob("*")}:
        problems.append(f"{path}: saves no .svg and .png into figures/")
    return problems


def _snippet_problems(assignment: Assignment, code: int | None, said: str) -> list[str]:
    path = assignment.public / "README.md"
    told = [json.loads(line.removeprefix("snippet ")) for line in said.splitlines() if line.startswith("snippet {")]
    begun = [what["begun"] for what in told if "begun" in what]
    where = f"{path}:{begun[-1]}" if begun else str(path)
    problems = [
        f"{path}:{what['line']}: the snippet fails on the reference in the students' folder: {what['error'][:_LONGEST]}"
        for what in told if "error" in what
    ]  # fmt: skip
    if code is None:
        problems.append(f"{where}: the snippet does not end on the reference")
    elif code:
        problems.append(f"{where}: in the students' folder, the snippets break off: {_last(said)}")
    return problems


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:_LONGEST] if lines else "it printed nothing"
