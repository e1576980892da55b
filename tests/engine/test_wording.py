"""What a student reads of a case that did not pass names the cause that it has, and no input."""

from __future__ import annotations

import shutil
import types

import pytest

from gradkit.errors import WorkerTimeout
from gradkit.judge.subjects import Handed
from gradkit.judge.wording import called_wrongly, timed_out

CHECKS = '''"""The graded checks."""

import numpy as np
import torch
from coursekit.checks import assert_leaves_arguments
from gradescope_utils.autograder_utils.decorators import number, tags, weight


@number("1.1")
@weight(10)
@tags("centre")
def test_callback(agree, rng):
    """A function that is handed over is called with one vector."""

    def distance(point):
        return float(np.dot(point, point))

    agree("descend", distance, rng.normal(size=3))


@number("1.2")
@weight(10)
@tags("centre")
def test_gradient(agree, torch_rng):
    """The gradient flows."""
    x = torch.randn(3, generator=torch_rng, dtype=torch.float64)
    agree.vjp("soft", x, cotangent=torch.randn(3, generator=torch_rng, dtype=torch.float64))


@number("1.3")
@weight(10)
@tags("centre")
def test_arguments(agree, impl, rng):
    """Arguments are left alone."""
    x = rng.normal(size=3)
    assert_leaves_arguments(impl.shift, x, by=[1.0, 2.0], name="shift")
    agree("shift", x, by=[1.0, 2.0])


@number("1.4")
@weight(70)
@tags("centre")
def test_class(agree, rng):
    """A memory remembers."""
    agree(lambda impl: impl.Memory(3).add(2.5).total)
'''
REFERENCE = '''"""Several things."""

import numpy as np
import torch


# BEGIN SOLUTION centre
def descend(f, start, *, steps=2):
    for _ in range(steps):
        start = start / 2 if f(start / 2) < f(start) else start
    return start


def soft(x):
    return torch.log1p(torch.exp(x))


def shift(x, *, by):
    return x + by[0]


class Memory:
    def __init__(self, size):
        self.size, self.total = size, 0.0

    def add(self, value):
        self.total += value
        return self
# END SOLUTION centre
'''


@pytest.fixture(scope="module")
def grade(grading_in, small_kit, tmp_path_factory):
    """Grade the text of a submission against the checks above."""
    root = tmp_path_factory.mktemp("wording") / "kit"
    shutil.copytree(small_kit, root)
    (root / "solutions").chmod(0o700)
    manifest = root / "assignments/scaling/assignment.toml"
    text = manifest.read_text(encoding="utf-8").replace('["numpy"]', '["numpy", "torch"]')
    head = text[: text.index("[[tasks]]")]
    functions = '["descend", "soft", "shift", "Memory"]'
    manifest.write_text(
        f'{head}[[tasks]]\nid = "centre"\ntitle = "All"\npoints = 100\nminutes = 5\nfunctions = {functions}\n',
        encoding="utf-8",
    )
    (root / "assignments/scaling/test_scaling.py").write_text('"""None."""\n', encoding="utf-8")
    (root / "solutions/scaling/test_hidden.py").write_text(CHECKS, encoding="utf-8")
    (root / "solutions/scaling/scaling.py").write_text(REFERENCE, encoding="utf-8")
    shutil.rmtree(root / "solutions/scaling/mistakes")
    with grading_in(root) as grade:
        yield lambda source: {
            result.check.number: result.cases[0] for result in grade(f"{REFERENCE}\n\n{source}\n").results
        }


def test_the_reference_passes(grade):
    assert {case.outcome.value for case in grade("").values()} == {"passed"}


@pytest.mark.parametrize(
    ("check", "source", "outcome", "said"),
    [
        (
            "1.1", "def descend(g, x, *, steps=2):\n    return g(x, 1)", "rejected",
            "your code called f, which it was handed, with a NumPy array of shape (3,) and an int; it takes (point)",
        ),
        (
            "1.1", "def descend(g, x, *, steps=2):\n    return g(secret=x)", "rejected",
            "your code called f, which it was handed, with a keyword argument; it takes (point)",
        ),
        (
            "1.1", "def descend(g, x, *, steps=2):\n    return g('a')", "rejected",
            "your code called f, which it was handed, with a str, and that raised",
        ),
        (
            "1.2", "def soft(x):\n    return torch.log1p(torch.exp(x.detach()))", "failed",
            "the result of soft does not depend on x through autograd: is it detached,",
        ),
        (
            "1.2", "def soft(x):\n    with torch.no_grad():\n        return torch.log1p(torch.exp(x))", "failed",
            "the result of soft does not depend on x through autograd",
        ),
        (
            "1.2", "def soft(x):\n    y = torch.exp(x)\n    z = torch.log1p(y)\n    y.mul_(2)\n    return z", "failed",
            "autograd can't go back through soft: a tensor that it needs was changed in place",
        ),
        (
            "1.2", "def soft(x):\n    return torch.log1p(torch.exp(x)).sum()", "failed",
            "soft returned the wrong shape or structure, so its gradient can't be taken",
        ),
        (
            "1.2", "def soft(x):\n    return torch.log(float(x[0]))  # of a number", "failed",
            "your code raised TypeError at scaling.py:33: return torch.log(float(x[0])) # of a number (must be Tensor, not float)",
        ),
        ("1.3", "def shift(x, *, by):\n    return x.sotr() + by", "failed", "x.sotr() + by ('numpy.ndarray' object has no attribute 'sotr')"),
        ("1.3", "def shift(x, *, by):\n    return x + None", "failed", "(unsupported operand type(s) for +: "),
        ("1.3", "def shift(x, step):\n    return x", "failed", "shift can't be called as the handout says (TypeError): compare the signature"),
        ("1.3", "def shift(x, *, by):\n    x += by[0]\n    return x", "failed", "shift changes its first argument in place: work on a copy"),
        ("1.3", "def shift(x, *, by):\n    by[0] += 0.0 * len(by) + 1\n    return x + by[0] - 1", "failed", "shift changes its argument by in place"),
        ("1.3", "def shift(x, *, by):\n    while True:\n        pass", "timeout", "shift did not return within"),
        ("1.4", "class Memory(Memory):\n    def add(self, value):\n        return super().add(value) and 3", "rejected", "could not use what your code returned"),
        (
            "1.4", "class Memory:\n    def __init__(self, size):\n        pass\n", "failed", "your Memory has no attribute add",
        ),
        (
            "1.4", "class Memory:\n    def __init__(self, size):\n        pass\n    def add(self, value):\n        return self", "failed",
            "what Memory.add returned has no attribute total",
        ),
    ],
)  # fmt: skip
def test_the_cause_is_named(grade, check, source, outcome, said):
    """A wrong call of what was handed over, a cut graph, a changed argument, a number for a tensor, another signature."""
    case = grade(source)[check]

    assert said in case.summary
    assert case.outcome.value == outcome


ATTACKS = {
    "no pair": "lambda *args, **kwargs: 3",
    "a list of what it likes": "lambda *args, **kwargs: (args[1][0] + 1.0, ['x' * 10**6, -1, 0.5, None, [0], {}])",
    "changes that there are none": "lambda *args, **kwargs: (args[1][0] + 1.0, [])",
    "names that are none": "lambda *args, **kwargs: (args[1][0] + 1.0, [7, 'other'])",
}


@pytest.mark.parametrize("answer", ATTACKS.values(), ids=ATTACKS)
def test_nonsense_about_changed_arguments_does_no_harm(grade, answer):
    """A submission that answers for the worker can hide what it changes, and nothing else: no other text, no fault of ours."""
    source = f"import coursekit.checks\ncoursekit.checks.watched_call = {answer}\n\n\ndef shift(x, *, by):\n    x += by[0]\n    return x"

    case = grade(source)["1.3"]

    assert case.outcome.value in ("passed", "failed", "rejected")
    assert case.summary in (
        "",
        "the check could not use what your code returned (TypeError)",
    )


def test_one_that_claims_its_own_fault_is_told_so(grade):
    """What it says of arguments that it has counts against it, in words of ours."""
    source = (
        "import coursekit.checks\ncoursekit.checks.watched_call = lambda *args, **kwargs: (args[1][0] + 1.0, [0, 'by'])"
    )

    case = grade(source)["1.3"]

    assert case.summary == "shift changes its first argument and its argument by in place: work on a copy"


def test_a_signature_is_told_without_its_defaults():
    """A check's function may keep its inputs there."""
    secret = 0.3717

    def table(x, *rest, weights=secret, **more: "annotated"):  # noqa: F821, UP037
        return x

    handed = Handed("f", 0, table, (), {})

    assert called_wrongly(TypeError(), handed, types.ModuleType("reference")) == (
        "your code called argument 1, which it was handed, with no arguments; it takes (x, *rest, weights=..., **more)"
    )


def test_a_time_limit_names_what_it_was_waited_for():
    """Also where no function is known to be at fault, and where there was no time left to call one."""

    def said(text, **attributes):
        late = WorkerTimeout(text)
        for name, value in attributes.items():
            setattr(late, name, value)
        return timed_out(late)

    assert said("f did not return within 4 s", function="f", asked_for="f") == "f did not return within 4 s"
    assert (
        said("the time limit passed", asked_for="stream") == "what stream returned did not answer within the time limit"
    )
    together = "the time limit of all checks together is used up"
    assert said(together, asked_for="f") == f"{together}, so f was not called"
    assert said("importing your file took longer than 5 s", asked_for="f") == "importing your file took longer than 5 s"
