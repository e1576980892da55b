"""What an exact check of a random function costs: replays, draws, seconds in one process and through the sandbox, and its error.

    python tests/benchmarks/chance.py

Two functions of the course: BERT's corruption of a short text (`encoders`), and rounds of speculative decoding (`inference`).
The error is the largest difference from the same distribution in exact fractions.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from coursekit.chance import law

from gradkit.grading import Grade
from gradkit.judges import JudgeClient, scratch_folder
from gradkit.model import Graded
from gradkit.scaffold import new_assignment

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from staff_files import reference  # noqa: E402

CHECK = '''"""One check."""

from coursekit.chance import law
from gradescope_utils.autograder_utils.decorators import number, tags, weight
{helpers}

@number("1.1")
@weight(100)
@tags("all")
def test_law(impl):
    """The law has probabilities."""
    assert len({call}) > 1
'''
MODEL = '''
import numpy as np


class Model:
    """A model of three tokens with a cache: called as model(tokens, keep=n), it gives the rows after the new tokens."""

    def __init__(self, counts):
        self.rows, self.text, self.calls = np.array(counts) / 8, [], 0

    def __call__(self, tokens, *, keep):
        self.calls += 1
        self.text = self.text[:keep] + [int(token) for token in tokens]
        return self.rows[self.text[keep:]]


TARGET = [[4, 2, 2], [1, 6, 1], [3, 3, 2]]  # by the token before, in eighths
DRAFT = [[2, 4, 2], [2, 5, 1], [1, 5, 2]]
'''
exec(MODEL)  # the same text runs in the check


class Counted:
    """A random function that counts its runs and draws."""

    def __init__(self, function: Callable) -> None:
        self._function, self.runs, self.draws = function, 0, 0

    def __call__(self, *args: object, draw: Callable, flip: Callable, **kwargs: object) -> object:
        self.runs += 1

        def count(tool: Callable) -> Callable:
            def use(argument: object) -> object:
                self.draws += 1
                return tool(argument)

            return use

        return self._function(*args, draw=count(draw), flip=count(flip), **kwargs)


def corrupted(tokens: list[int], V: int) -> dict[tuple, Fraction]:
    """BERT's corruption, exactly: 15% are chosen; 80% of them become the mask (1), 10% any id, 10% stay."""
    share, law = Fraction(15, 100), defaultdict(Fraction)
    outcomes = []
    for token in tokens:
        one = {(token, -100): 1 - share}
        for id in range(V):
            p = Fraction(8, 10) * (id == 1) + Fraction(1, 10) / V + Fraction(1, 10) * (id == token)
            one[id, token] = one.get((id, token), Fraction(0)) + share * p
        outcomes.append({outcome: p for outcome, p in one.items() if p})
    for together in itertools.product(*(one.items() for one in outcomes)):
        ids, labels = zip(*(outcome for outcome, _ in together), strict=True)
        p = Fraction(1)
        for _, each in together:
            p *= each
        law[ids, labels] += p
    return law


def through_the_sandbox(id: str, helpers: str, call: str) -> float:
    """Seconds that a check of one law takes in a worker that is warm, on the reference of assignment `id`."""
    with scratch_folder() as scratch:
        root = scratch / "kit"
        (root / "assignments").mkdir(parents=True)
        (root / "solutions").mkdir(mode=0o700)
        new_assignment(root, "measured")
        manifest = root / "assignments/measured/assignment.toml"
        head = manifest.read_text(encoding="utf-8").split("[[tasks]]")[0].replace('["numpy"]', '["numpy", "torch"]')
        task = '[[tasks]]\nid = "all"\ntitle = "All"\npoints = 100\nminutes = 5\nfunctions = ["f"]\n'
        manifest.write_text(f"timeout_s = 60\n{head}{task}", encoding="utf-8")
        (root / "assignments/measured/test_measured.py").write_text('"""None."""\n', encoding="utf-8")
        hidden = root / "solutions/measured"
        shutil.rmtree(hidden / "mistakes")
        (hidden / "test_hidden.py").write_text(CHECK.format(helpers=helpers, call=call), encoding="utf-8")
        source = (ROOT / "solutions" / id / f"{id}.py").read_text(encoding="utf-8")
        (hidden / "measured.py").write_text(source, encoding="utf-8")
        module = scratch / "submission" / "measured.py"
        module.parent.mkdir(mode=0o755)
        module.write_text(source, encoding="utf-8")
        with JudgeClient(root, "measured", scratch) as judge:
            for _ in range(2):
                grade = Grade(Graded("student01", "measured", "graded"), judge.checks)
                done = grade.finish(judge.grade(module, 1, grade.add)).results[0].cases[0]
        assert done.outcome.value == "passed", done
        return done.elapsed_s


def corruption(V: int) -> tuple:
    tokens, call = [3, 4, 5], "mlm_corrupt, [3, 4, 5], special={0}, mask_token=1, n_vocab=" + str(V)
    counted = Counted(reference("encoders").mlm_corrupt)
    begun = time.perf_counter()
    found = law(counted, tokens, special={0}, mask_token=1, n_vocab=V)
    seconds = time.perf_counter() - begun
    exact = corrupted(tokens, V)
    error = max(abs(found.get(result, 0.0) - float(p)) for result, p in exact.items())
    assert set(found) == set(exact)
    sandbox = through_the_sandbox("encoders", "", f"law(impl.{call})")
    return f"BERT's corruption of 3 tokens, V = {V}", counted.runs, counted.draws, 0, seconds, sandbox, error


def speculation(gamma: int, new: int) -> tuple:
    target, draft = Model(TARGET), Model(DRAFT)  # noqa: F821 - from MODEL
    counted = Counted(reference("inference").speculative_generate)
    begun = time.perf_counter()
    found = law(counted, target, draft, [0], gamma=gamma, max_new_tokens=new)
    seconds = time.perf_counter() - begun
    exact = {}
    for text in itertools.product(range(3), repeat=new):
        p = Fraction(1)
        for before, token in itertools.pairwise((0, *text)):
            p *= Fraction(TARGET[before][token], 8)  # noqa: F821
        exact[(0, *text)] = p
    error = max(abs(found.get(result, 0.0) - float(p)) for result, p in exact.items())
    call = f"law(impl.speculative_generate, Model(TARGET), Model(DRAFT), [0], gamma={gamma}, max_new_tokens={new})"
    sandbox = through_the_sandbox("inference", MODEL, call)
    calls = target.calls + draft.calls
    return (
        f"speculative decoding, γ = {gamma}, {new} tokens of 3",
        counted.runs,
        counted.draws,
        calls,
        seconds,
        sandbox,
        error,
    )


def main() -> None:
    print(
        "| function | replays | draws | calls of lent models | s in one process | s through the sandbox | largest error |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in (
        corruption(6),
        corruption(8),
        speculation(1, 2),
        speculation(2, 2),
        speculation(1, 3),
        speculation(2, 3),
    ):
        name, runs, draws, calls, seconds, sandbox, error = row
        print(
            f"| {name} | {runs:,} | {draws:,} | {calls:,} | {seconds:.2f} | {sandbox:.2f} | {error:.1e} |", flush=True
        )


if __name__ == "__main__":
    main()
