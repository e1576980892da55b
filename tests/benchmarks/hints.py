"""How often what a student is told of a wrong answer is right, on mistakes that nobody wrote a hint for.

    python tests/benchmarks/hints.py [ASSIGNMENT ...] [--edits 40] [--pairs 20] [--seed 1] [--repair-seconds 2] [--list]

Each submission is the reference with something wrong in it, graded in the sandbox as a student's is, so that what is wrong
and where is known:

- `--edits` seeded changes of one node of the syntax tree, in the lines that students write, that no known mistake makes: an
  operator, a comparison, a constant, a name, an argument, a call. They are made here, not by the kit's own search for a line.
- `--pairs` seeded pairs of known mistakes in different functions.
- Each function of the stub raising one of four exceptions.

Of the edits that lose points, the table has those that are shown a mistake's hint (right: the hint of a mistake in the
function that was edited), a line (right: the line that was edited, or the first one of its statement), and an observation
alone. Of the pairs it has the hints of one of the two, and of a third; of the functions that raise, those that are shown a
hint: none may be. `--list` prints each edit with what came of it. Seconds are processor time, of judge and workers, for one
failing submission: with everything, and without hints and lines. Linux only.
"""

from __future__ import annotations

import argparse
import ast
import copy
import random
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gradkit.grading import Grade
from gradkit.judges import JudgeClient, scratch_folder
from gradkit.manifest import Assignment, assignment_ids, load_assignment
from gradkit.mistakes import MistakeSource, read_mistakes
from gradkit.model import Graded, Outcome
from gradkit.stubs import read_authored

ROOT = Path(__file__).resolve().parents[2]
EXCEPTIONS = ("ValueError", "TypeError", "RuntimeError", "IndexError")
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Pow)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
METHODS = (
    {"sum", "mean", "max", "min", "prod"}, {"argmax", "argmin"}, {"exp", "log", "sqrt", "abs"}, {"amax", "amin"},
    {"floor", "ceil"}, {"maximum", "minimum"}, {"zeros", "ones", "empty"}, {"append", "insert"}, {"any", "all"},
    {"cumsum", "cumprod"}, {"softmax", "log_softmax"}, {"tril", "triu"},
)  # fmt: skip


@dataclass(frozen=True)
class Wrong:
    """The reference with one node changed.

    Attributes:
        function: The function, or the class, that it is in.
        line: Where it was changed.
        statement: First line of the statement.
        what: The change in words.
        source: The whole file.
    """

    function: str
    line: int
    statement: int
    what: str
    source: str


# ---- one-node edits


def wrong_ones(assignment: Assignment, count: int, seed: int) -> list[Wrong]:
    """Changes that no known mistake makes, chosen by the seed among all that this script can make."""
    reference = read_authored(assignment.reference)
    known = {_dumped(mistake.submission(reference)) for mistake in read_mistakes(assignment)}
    rng = random.Random(f"{assignment.id}:{seed}")
    places = list(_places(reference))
    rng.shuffle(places)
    found: list[Wrong] = []
    seen = {_dumped(reference)}
    for owner, statement, node, names in places:
        changed = list(_changes(node, names))
        if not changed or len(found) == count:
            continue
        new = rng.choice(changed)
        text = _put(reference, node, new)
        try:
            dumped = _dumped(text)
        except SyntaxError:
            continue
        if dumped not in seen | known:
            seen.add(dumped)
            what = f"{ast.unparse(node)} -> {ast.unparse(new)}"
            found.append(Wrong(owner, node.lineno, statement, what, text))
    return found


def _dumped(text: str) -> str:
    return ast.dump(ast.parse(text))


def _places(reference: str) -> Iterator[tuple[str, int, ast.AST, list[str]]]:
    """The nodes on one line that students write, with their function, their statement and the variables around them."""
    written: set[int] = set()
    inside = False
    for number, line in enumerate(reference.splitlines(), 1):
        inside = (inside or "# BEGIN SOLUTION" in line) and "# END SOLUTION" not in line
        written |= {number} if inside else set()
    for owner in ast.parse(reference).body:
        for function in ast.walk(owner):
            if isinstance(function, ast.FunctionDef):
                stores = (part for part in ast.walk(function) if isinstance(part, ast.Name))
                names = {part.id for part in stores if isinstance(part.ctx, ast.Store)}
                names |= {part.arg for part in function.args.args + function.args.kwonlyargs} - {"self"}
                for statement in ast.walk(function):
                    if isinstance(statement, ast.stmt) and not isinstance(statement, (ast.FunctionDef, ast.Raise)):
                        for node in _expressions(statement):
                            if node.lineno == node.end_lineno and node.lineno in written:
                                yield owner.name, statement.lineno, node, sorted(names)


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """A simple statement itself, and the expressions that are its own."""
    if isinstance(statement, (ast.Expr, ast.AugAssign, ast.Assign)):
        yield statement
    left = [part for part in ast.iter_child_nodes(statement) if isinstance(part, ast.expr)]
    while left:
        node = left.pop()
        yield node
        left += [part.value if isinstance(part, ast.keyword) else part for part in ast.iter_child_nodes(node)
                 if isinstance(part, (ast.expr, ast.keyword))]  # fmt: skip


def _changes(node: ast.AST, names: list[str]) -> Iterator[ast.AST]:
    """What can stand in a node's place with one thing about it changed."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        if isinstance(node.op, ARITHMETIC):
            yield from (_with(node, op=op()) for op in ARITHMETIC if not isinstance(node.op, op))
    if isinstance(node, ast.BinOp):
        yield from (node.left, node.right, _with(node, left=node.right, right=node.left))
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], COMPARISONS):
        yield from (_with(node, ops=[op()]) for op in COMPARISONS if not isinstance(node.ops[0], op))
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        values = {node.value + 1, node.value - 1, -node.value, 2 * node.value, node.value / 2} - {node.value}
        yield from (ast.Constant(value) for value in sorted(values))
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield ast.Constant(not node.value)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        yield from (ast.Name(name, ast.Load()) for name in names if name != node.id)
    if isinstance(node, ast.UnaryOp):
        yield node.operand
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield node.value
    if isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    if isinstance(node, ast.Call):
        for index in range(len(node.keywords)):
            yield _with(node, keywords=node.keywords[:index] + node.keywords[index + 1 :])
        for index in range(len(node.args) - 1):
            swapped = [*node.args]
            swapped[index : index + 2] = reversed(swapped[index : index + 2])
            yield _with(node, args=swapped)
        if isinstance(node.func, ast.Attribute):
            for group in METHODS:
                for name in sorted(group - {node.func.attr}) if node.func.attr in group else ():
                    yield _with(node, func=_with(node.func, attr=name))
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id in ("np", "torch", "math")):
                yield node.func.value
    if isinstance(node, ast.Slice):
        for name in ("lower", "upper"):
            if (bound := getattr(node, name)) is not None:
                yield _with(node, **{name: ast.BinOp(bound, ast.Add(), ast.Constant(1))})
    if isinstance(node, (ast.Expr, ast.AugAssign)) and not isinstance(getattr(node, "value", None), ast.Constant):
        yield ast.Pass()
    if isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value, lineno=node.lineno)


def _with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _put(text: str, node: ast.AST, new: ast.AST) -> str:
    """The text with other code in a node's place, on the same line."""
    lines = text.splitlines(keepends=True)
    line = lines[node.lineno - 1].encode()
    code = ast.unparse(new)
    code = code if isinstance(new, ast.stmt) or isinstance(node, ast.Slice) else f"({code})"
    lines[node.lineno - 1] = (line[: node.col_offset] + code.encode() + line[node.end_col_offset :]).decode()
    return "".join(lines)


# ---- other submissions


def pairs(assignment: Assignment, count: int, seed: int) -> Iterator[tuple[MistakeSource, MistakeSource, str]]:
    """Pairs of known mistakes in different functions, in one file."""
    reference = read_authored(assignment.reference)
    rng = random.Random(f"{assignment.id}:pairs:{seed}")
    known = [mistake for mistake in read_mistakes(assignment) if mistake.hint]
    for _ in range(count):
        one, other = rng.sample(known, 2)
        while set(one.replaces) & set(other.replaces):
            one, other = rng.sample(known, 2)
        yield one, other, other.submission(one.submission(reference))


def raising(assignment: Assignment) -> Iterator[tuple[str, str]]:
    """Each function of the stub raising each of the exceptions."""
    reference = read_authored(assignment.reference)
    for task in assignment.manifest.tasks:
        for name in task.functions:
            for error in EXCEPTIONS:
                text = f'def {name}(*args, **kwargs):\n    raise {error}("no")\n'
                if f"class {name}" in reference:
                    text = f'class {name}:\n    def __init__(self, *args, **kwargs):\n        raise {error}("no")\n'
                yield f"{name} {error}", f"{reference}\n\n{text}"


# ---- grading them


class Grader:
    """One judge, and what its submissions cost."""

    def __init__(self, assignment: Assignment, judge: JudgeClient, scratch: Path, seed: int) -> None:
        self._assignment, self._judge, self._scratch, self._seed = assignment, judge, scratch, seed
        self._count = 0

    def grade(self, source: str, *, diagnose: bool = True) -> Graded:
        self._count += 1
        folder = self._scratch / f"hints-{self._count}"
        folder.mkdir(mode=0o755)
        module = folder / self._assignment.manifest.module
        module.write_text(source, encoding="utf-8")
        module.chmod(0o644)
        grade = Grade(Graded(f"{self._count}", self._assignment.id, "graded"), self._judge.checks)
        return grade.finish(self._judge.grade(module, self._seed, grade.add, diagnose=diagnose))

    def cpu_s(self) -> float:
        """Of the judge so far; its workers are its zygote's children, told with each submission."""
        fields = Path(f"/proc/{self._judge.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@dataclass
class Row:
    assignment: str
    edits: int = 0
    losing: int = 0
    hinted: int = 0
    hinted_right: int = 0
    lined: int = 0
    lined_right: int = 0
    helped: int = 0
    pair_hints: int = 0
    third_hints: int = 0
    pairs_helped: int = 0
    pairs: int = 0
    raises: int = 0
    raises_hinted: int = 0
    told_s: float = 0.0
    plain_s: float = 0.0


def _told(graded: Graded) -> tuple[set[str], set[str]]:
    """The mistakes whose hints are shown, and the lines."""
    cases = [case for result in graded.results for case in result.cases if case.outcome is not Outcome.PASSED]
    return {case.mistake for case in cases if case.mistake}, {case.where for case in cases if case.edit}


def measure(assignment: Assignment, options: argparse.Namespace) -> Row:
    row = Row(assignment.id)
    functions = {mistake.name: mistake.replaces for mistake in read_mistakes(assignment)}
    with (
        scratch_folder() as scratch,
        JudgeClient(ROOT, assignment.id, scratch, repair_s=options.repair_seconds) as judge,
    ):
        grader = Grader(assignment, judge, scratch, options.seed)
        told_s, plain_s = [], []
        for wrong in wrong_ones(assignment, options.edits, options.seed):
            row.edits += 1
            begun = grader.cpu_s()
            graded = grader.grade(wrong.source, diagnose=False)
            plain = grader.cpu_s() - begun + graded.worker_cpu_s
            if graded.score == graded.max_score:
                continue
            begun = grader.cpu_s()
            graded = grader.grade(wrong.source)
            told_s.append(grader.cpu_s() - begun + graded.worker_cpu_s)
            plain_s.append(plain)
            row.losing += 1
            hints, lines = _told(graded)
            right_hints = {name for name in hints if wrong.function in functions[name]}
            right_lines = {line for line in lines if int(line.rpartition(":")[2]) in (wrong.line, wrong.statement)}
            row.hinted += bool(hints)
            row.hinted_right += bool(hints) and hints == right_hints
            row.lined += bool(lines)
            row.lined_right += bool(lines) and lines == right_lines
            row.helped += (hints == right_hints and lines == right_lines) and bool(hints or lines)
            if options.list:
                edits = {case.edit for result in graded.results for case in result.cases if case.edit}
                verdict = (
                    "wrong"
                    if hints != right_hints or lines != right_lines
                    else "right"
                    if hints or lines
                    else "observation"
                )
                say(
                    f"{assignment.id}:{wrong.line} {wrong.function}: {wrong.what}: {graded.score:g}: {verdict}"
                    f" {sorted(hints)} {sorted(lines)} {sorted(edits)} {told_s[-1]:.2f} s"
                )
        row.told_s, row.plain_s = (statistics.mean(some) if some else 0.0 for some in (told_s, plain_s))
        for one, other, source in pairs(assignment, options.pairs, options.seed):
            hints, _ = _told(grader.grade(source))
            row.pairs += 1
            row.pair_hints += len(hints & {one.name, other.name})
            row.third_hints += len(hints - {one.name, other.name})
            row.pairs_helped += bool(hints)
            if options.list:
                say(f"{assignment.id}: {one.name} + {other.name}: {sorted(hints)}")
        for name, source in raising(assignment) if options.pairs else ():
            hints, _ = _told(grader.grade(source, diagnose=True))
            row.raises += 1
            row.raises_hinted += bool(hints)
            if hints:
                say(f"{assignment.id}: {name} is shown {sorted(hints)}")
    return row


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("assignments", nargs="*")
    parser.add_argument("--edits", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repair-seconds", type=float, default=2.0)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    rows = []
    print(
        "| assignment | edits that lose points | hint right | line right | helped | pairs: hints of the two, of a third | raising: shown a hint | seconds: plain, told |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for id in options.assignments or assignment_ids(ROOT):
        row = measure(load_assignment(ROOT, id), options)
        rows.append(row)
        _print(row)
    total = Row("all")
    for name in vars(total):
        if name != "assignment":
            setattr(total, name, sum(getattr(row, name) for row in rows))
    total.told_s, total.plain_s = total.told_s / len(rows), total.plain_s / len(rows)
    _print(total)


def _print(row: Row) -> None:
    print(
        f"| {row.assignment} | {_share(row.losing, row.edits)} | {_share(row.hinted_right, row.hinted)} | {_share(row.lined_right, row.lined)} | "
        f"{_share(row.helped, row.losing)} | {row.pair_hints} of {2 * row.pairs}, {row.third_hints} | {_share(row.raises_hinted, row.raises)} | "
        f"{row.plain_s:.2f}, {row.told_s:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
