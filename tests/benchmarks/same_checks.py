"""Runs an assignment's checks in the process of whoever asks, so that other graders can do the work that the kit does.

    SAME_CHECKS=conformal/all python tests/benchmarks/same_checks.py SUBMISSION [--rounds 7]

The graders that `graders.py` compares with know nothing of pytest's parameters and fixtures. Here both of an assignment's
test files are imported, `parametrize` marks are expanded to the cases that pytest would make of them, and `impl`, `rng`,
`torch_rng`, `reference`, `agree`, `vjp` and `device` are given as the judge gives them, with the judge's inputs for the same
seed. Nothing is kept apart: checks, reference and submission share the process, as they do in the graders this is for.

It needs numpy, pytest, gradescope-utils, torch where the assignment does, and `shared/` on `sys.path`.

SAME_CHECKS in the environment says which: an assignment, and `all` of its checks or the `public` ones alone.
SAME_CHECKS_LIMIT_S, where it is set, is a time limit for each check, which fails when it passes.

As a program it prints the processor seconds of all checks on the submission, a figure per round, and the checks that fail, as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import inspect
import itertools
import json
import os
import resource
import signal
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from _pytest.mark import ParameterSet  # what `pytest.param` makes
from coursekit.compare import Mismatch, compare
from coursekit.plugin import check_seed, torch_generator

ROOT = Path(__file__).resolve().parents[2]
SEED = 0
MARKS_WITHOUT_CASES = frozenset({"gpu", "own_worker"})


@dataclass(frozen=True)
class Selection:
    """Checks of one assignment: `all` of them, or the `public` ones."""

    assignment: str
    which: str

    @classmethod
    def read(cls, text: str) -> Selection:
        return cls(*text.split("/"))

    def __str__(self) -> str:
        return f"{self.assignment}/{self.which}"

    @property
    def reference(self) -> Path:
        return ROOT / "solutions" / self.assignment / f"{self.assignment}.py"

    @property
    def test_files(self) -> list[Path]:
        public = ROOT / "assignments" / self.assignment / f"test_{self.assignment}.py"
        return [public] if self.which == "public" else [public, self.reference.with_name("test_hidden.py")]


@dataclass(frozen=True)
class Check:
    """One check: its number, its points, its function, and its cases: pytest's name for each, and its parameters.

    One that needs a GPU is never run: as in the kit without one, it counts neither for nor against.
    """

    number: str
    points: float
    function: Callable[..., None]
    cases: tuple[tuple[str, dict[str, object]], ...]

    @property
    def needs_gpu(self) -> bool:
        return any(mark.name == "gpu" for mark in getattr(self.function, "pytestmark", []))


class Agree:
    """The `agree` fixture: call the submission and the reference alike, and compare."""

    def __init__(self, impl: object, reference: object) -> None:
        self._impl, self._reference = impl, reference

    def __call__(
        self, target: str | Callable, *args: object, tol: tuple[float, float] | None = None, **kwargs: object
    ) -> object:
        if isinstance(target, str):
            got = getattr(self._impl, target)(*args, **kwargs)
            want = getattr(self._reference, target)(*args, **kwargs)
        else:
            got, want = target(self._impl, *args, **kwargs), target(self._reference, *args, **kwargs)
        rtol, atol = tol or (None, None)
        name = target if isinstance(target, str) else "output"
        return self._same(got, want, name, rtol, atol)

    def vjp(
        self,
        name: str,
        *args: object,
        wrt: object = None,
        cotangent: object,
        tol: tuple[float, float] | None = None,
        **kwargs: object,
    ) -> tuple:
        from coursekit.gradcheck import torch_vjp

        got, want = (
            torch_vjp(getattr(module, name), *args, wrt=wrt, cotangent=cotangent, **kwargs)
            for module in (self._impl, self._reference)
        )
        return self._same(got, want, f"gradient of {name}", *(tol or (None, None)))

    @staticmethod
    def _same(got: object, want: object, name: str, rtol: float | None, atol: float | None) -> object:
        difference = compare(got, want, rtol=rtol, atol=atol, name=name)
        if difference is not None:
            raise Mismatch(difference)
        return got


def load(path: Path, name: str = "") -> types.ModuleType:
    """A file as a module, run anew."""
    spec = importlib.util.spec_from_file_location(name or path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def read_checks(selection: Selection) -> dict[str, Check]:
    """The selected checks by their number, public ones first, in the order of the files."""
    checks = {}
    for path in selection.test_files:
        for name, function in vars(load(path)).items():
            if name.startswith("test_") and inspect.isfunction(function):
                cases = tuple(expand(function))
                number = function.__number__
                checks[number] = Check(number, float(function.__weight__), function, cases)
    return checks


def expand(function: Callable) -> Iterator[tuple[str, dict[str, object]]]:
    """Each case of a check: the name pytest gives it, and its parameters.

    Marks next to the function vary slowest, and the names of stacked marks are joined in that order.
    """
    per_mark = []
    for mark in getattr(function, "pytestmark", []):
        if mark.name in MARKS_WITHOUT_CASES:
            continue
        if mark.name != "parametrize":
            raise ValueError(f"{function.__name__}: the mark {mark.name} is not known here")
        per_mark.append(list(_cases_of(*mark.args, **mark.kwargs)))
    for combination in itertools.product(*per_mark):
        values = {name: value for _, given in combination for name, value in given.items()}
        ids = "-".join(text for text, _ in combination)
        yield f"{function.__name__}[{ids}]" if combination else function.__name__, values


def _cases_of(
    names: str | tuple[str, ...], rows: list, ids: list[str] | Callable | None = None
) -> Iterator[tuple[str, dict[str, object]]]:
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    for position, row in enumerate(rows):
        given = row.id if isinstance(row, ParameterSet) else None
        values = row.values if isinstance(row, ParameterSet) else (row,) if len(names) == 1 else row
        if given is not None:
            text = given
        elif ids is not None and not callable(ids):
            text = ids[position]
        else:
            text = "-".join(_name(name, value, position, ids) for name, value in zip(names, values, strict=True))
        yield text, dict(zip(names, values, strict=True))


def _name(parameter: str, value: object, position: int, ids: Callable | None) -> str:
    if ids is not None:
        return str(ids(value))
    return str(value) if isinstance(value, (str, int, float, bool)) else f"{parameter}{position}"


def fixtures(impl: object, reference: types.ModuleType, case: str) -> dict[str, Callable[[], object]]:
    """What a check may ask for by the name of an argument, made when it does."""

    def vjp() -> Callable:
        from coursekit.gradcheck import torch_vjp

        return torch_vjp

    return {
        "impl": lambda: impl,
        "reference": lambda: reference,
        "agree": lambda: Agree(impl, reference),
        "rng": lambda: np.random.default_rng(check_seed(SEED, case)),
        "torch_rng": lambda: torch_generator(check_seed(SEED, case)),
        "vjp": vjp,
        "device": lambda: "cpu",
    }


class TooLong(BaseException):
    """A check's time limit passed. Not an Exception: no check may swallow it."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TooLong` in the main thread after so many seconds; never for 0."""

    def stop(signum: int, frame: object) -> None:
        raise TooLong

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


class Checks:
    """The checks that the environment selects, with the reference beside them."""

    def __init__(self) -> None:
        selection = Selection.read(os.environ["SAME_CHECKS"])
        self.reference = load(selection.reference, f"reference_{selection.assignment}")
        self.checks = read_checks(selection)
        self.limit_s = float(os.environ.get("SAME_CHECKS_LIMIT_S", "0"))

    def run(self, number: str, submission: object) -> None:
        """Run all cases of one check, the later ones too when an earlier one fails, as the kit does.

        Args:
            number: The check's, such as `2.1`.
            submission: A module, or the mapping of a notebook's names.

        Raises:
            Exception: Whatever the first failing case raised, or TimeoutError.
        """
        try:
            with time_limit(self.limit_s):
                self._run(number, submission)
        except TooLong:
            raise TimeoutError(f"check {number} took longer than {self.limit_s:g} s") from None

    def _run(self, number: str, submission: object) -> None:
        impl = types.SimpleNamespace(**submission) if isinstance(submission, Mapping) else submission
        check, failures = self.checks[number], []
        for case, parameters in check.cases:
            known = fixtures(impl, self.reference, case)
            wanted = [name for name in inspect.signature(check.function).parameters if name not in parameters]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # a warning costs no points in the kit
                    check.function(**parameters, **{name: known[name]() for name in wanted})
            except pytest.fail.Exception as error:  # no Exception to Python, and would end more than the check
                failures.append(AssertionError(str(error)))
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def failing(self, submission: object) -> list[str]:
        """Run every check; the numbers of those that fail."""
        failed = []
        for number, check in self.checks.items():
            if check.needs_gpu:
                continue
            try:
                self.run(number, submission)
            except Exception:  # whatever a check raises, it fails; which ones do is all that is asked
                failed.append(number)
        return failed


_loaded: Checks | None = None


def run(number: str, submission: object) -> None:
    """`Checks.run`, with the test files and the reference loaded when first asked: what a cell of a notebook calls."""
    global _loaded
    if _loaded is None:
        _loaded = Checks()
    _loaded.run(number, submission)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("submission", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()

    checks = Checks()
    failed = checks.failing(load(options.submission))  # warms
    spent = []
    for _ in range(options.rounds):
        before = resource.getrusage(resource.RUSAGE_SELF)
        failed = checks.failing(load(options.submission))
        after = resource.getrusage(resource.RUSAGE_SELF)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    json.dump({"cpu_s": spent, "failed": failed}, sys.stdout)


if __name__ == "__main__":
    main()
