"""Does `pytest` tell a student that a function is right, as soon as it is the only one written?

    python tests/benchmarks/functions.py [ASSIGNMENT...] [--sample N] [--seed S] [--root KIT]

For each function of each assignment: the stub with that function of the reference, and those that it calls, written into it; then
the student's `pytest` in their bundle. It must show `passes` for the function, and "Next" must ask for another one. Exit code 1
if it doesn't for some function. The students' Python imports torch once for an assignment and forks for each run.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coursekit.functions import Function

from gradkit.bundle import student_bundle
from gradkit.examine.checks import functions_to_write
from gradkit.manifest import Assignment, load_all
from gradkit.stubs import cut_stub

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 900.0
_BEGIN = re.compile(r"\s*# BEGIN SOLUTION (\w+)")
_END = re.compile(r"\s*# END SOLUTION")

# In the bundle: nothing of this checkout can be imported, and every run is a `pytest` as the student types it.
_STUDENT = """
import importlib.machinery, json, os, sys, tempfile

bundle, module, modules = sys.argv[1:]

class Alone:
    def find_spec(self, name, path=None, target=None):
        if name == "coursekit":
            return importlib.machinery.PathFinder.find_spec(name, [bundle])
        if name.partition(".")[0] == "gradkit":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Alone())
sys.path.insert(0, os.getcwd())
import numpy, pytest, torch
torch.set_num_threads(1)

for text in json.loads(open(modules, encoding="utf-8").read()):
    with open(module, "w", encoding="utf-8") as file:
        file.write(text)
    with tempfile.TemporaryFile() as said:
        if (pid := os.fork()) == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            pytest.main(["-p", "no:cacheprovider"])
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)
        said.seek(0)
        print(json.dumps(said.read().decode("utf-8", "replace")), flush=True)
"""


# ---- a stub with one function written


@dataclass
class _Block:
    """What stands between two markers: its lines, its task, and the functions or methods that it is part of, or defines."""

    first: int
    last: int
    task: str
    units: frozenset[str]


class Reference:
    """A reference, and who calls whom in it."""

    def __init__(self, assignment: Assignment) -> None:
        self.path = assignment.reference
        self.text = self.path.read_text(encoding="utf-8")
        self._tasks = [task.id for task in assignment.manifest.tasks]
        tree = ast.parse(self.text)
        self._units: dict[str, ast.AST] = {}
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self._units[node.name] = node
                for part in node.body if isinstance(node, ast.ClassDef) else ():
                    if isinstance(part, ast.FunctionDef):
                        self._units[f"{node.name}.{part.name}"] = part
            for target in node.targets if isinstance(node, ast.Assign) else ():
                if isinstance(target, ast.Name):
                    self._units[target.id] = node
        self._blocks = list(self._read_blocks())

    def _read_blocks(self) -> Iterator[_Block]:
        begun = (0, "")
        for number, line in enumerate(self.text.splitlines(), 1):
            if match := _BEGIN.match(line):
                begun = number, match[1]
            elif _END.match(line):
                first, task = begun
                around = [name for name, node in self._units.items() if node.lineno <= first <= node.end_lineno]
                inside = [name for name, node in self._units.items() if first < node.lineno < number]
                innermost = max(around, key=lambda name: self._units[name].lineno, default="")
                yield _Block(first, number, task, frozenset([innermost] if innermost else inside))

    def alone(self, function: Function) -> str:
        """The stub with this function, and those that it calls, through one another, written."""
        start = {function.name}
        if isinstance(self._units[function.name], ast.ClassDef):
            start = {unit for block in self._blocks if block.task == function.task for unit in block.units}
            start = {unit for unit in start if unit.partition(".")[0] == function.name} | {f"{function.name}.__init__"}
        written = self._reached(start)
        kept = [block for block in self._blocks if block.units & written]
        marks = {line for block in kept for line in (block.first, block.last)}
        text = "\n".join(line for number, line in enumerate(self.text.splitlines(), 1) if number not in marks)
        left = {block.task for block in self._blocks if block not in kept}
        return cut_stub(text, path=self.path, tasks=[task for task in self._tasks if task in left])

    def _reached(self, start: set[str]) -> set[str]:
        found: set[str] = set()
        pending = [name for name in start if name in self._units]
        while pending:
            name = pending.pop()
            if name in found:
                continue
            found.add(name)
            node = self._units[name]
            if isinstance(node, ast.ClassDef):  # made by its name: what that runs
                pending += [unit for unit in self._units if re.fullmatch(rf"{name}\.__\w+__", unit)]
                continue
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and inner.id in self._units:
                    pending.append(inner.id)
                elif isinstance(inner, ast.Attribute):
                    pending += [unit for unit in self._units if unit.endswith(f".{inner.attr}")]
        return found


# ---- what pytest says of it


def states(said: str, tasks: list[str]) -> dict[Function, str]:
    """The words that the table has for each function."""
    found: dict[Function, str] = {}
    task = word = ""
    for line in re.sub(r"\n {16}(?=\S)", " ", said).splitlines():  # what was wrapped, in one line
        if match := re.match(r"(\d+) .*\d+/\d+ ", line):
            task = tasks[int(match[1]) - 1]
        elif task and (match := re.match(r" {4}(.{12})(\w.*)", line)):
            word = match[1].strip() or word
            for name in re.sub(r" \([^)]*\)", "", match[2]).split(","):
                if name.strip():
                    found[Function(task, name.strip())] = word
        else:
            task = ""
    return found


def told(assignment: Assignment, chosen: list[Function]) -> dict[Function, str]:
    """For each function what `pytest` says while it alone is written: empty if it passes and Next asks for another."""
    reference = Reference(assignment)
    tasks = [task.id for task in assignment.manifest.tasks]
    with tempfile.TemporaryDirectory(prefix="functions-") as scratch:
        bundle = Path(scratch) / "course"
        student_bundle([assignment], bundle, agents_file=False)
        modules = Path(scratch) / "modules.json"
        modules.write_text(json.dumps([reference.alone(function) for function in chosen]), encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
        done = subprocess.run(
            [sys.executable, "-I", "-B", "-X", "utf8", "-c", _STUDENT, str(bundle), assignment.manifest.module, str(modules)],
            cwd=bundle / assignment.id, env={**environment, "OMP_NUM_THREADS": "1", "COLUMNS": "80", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True, text=True, timeout=LIMIT_S,
        )  # fmt: skip
        runs = [json.loads(line) for line in done.stdout.splitlines()]
    if len(runs) != len(chosen):
        raise RuntimeError(
            f"{assignment.id}: {len(runs)} of {len(chosen)} runs came to their end: {done.stderr[-500:]}"
        )
    found = {}
    for function, said in zip(chosen, runs, strict=True):
        word = states(said, tasks).get(function, "not in the table")
        following = re.search(r"Next: \w+ ([\w.]+) in .*?run: pytest(?: --task (\w+))?", " ".join(said.split()))
        asked = bool(following) and following[1] == function.name and following[2] in (None, function.task)
        found[function] = "" if word == "passes" and not asked else "asked for again" if word == "passes" else word
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ids", nargs="*", metavar="ASSIGNMENT")
    parser.add_argument(
        "--sample", type=int, default=0, help="so many functions of each assignment, chosen by the seed"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", type=Path, default=ROOT, help="the kit; by default this one")
    options = parser.parse_args()
    confirmed = total = 0
    begun = time.perf_counter()
    for assignment in load_all(options.root):
        if options.ids and assignment.id not in options.ids:
            continue
        chosen = functions_to_write(assignment)
        if options.sample:
            chosen = random.Random(options.seed).sample(chosen, min(options.sample, len(chosen)))
        start = time.perf_counter()
        found = told(assignment, chosen)
        passing = sum(not why for why in found.values())
        confirmed, total = confirmed + passing, total + len(found)
        print(f"{assignment.id:12} {passing:>3} of {len(found):<3} {time.perf_counter() - start:6.1f} s", flush=True)
        for function, why in found.items():
            if why:
                print(f"    {function.name} of task {function.task}: {why}")
    print(f"{'all':12} {confirmed:>3} of {total:<3} {time.perf_counter() - begun:6.1f} s")
    return int(confirmed < total)


if __name__ == "__main__":
    sys.exit(main())
