"""Small edits of a module's functions: what they reach, and that nothing of them stays."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import pytest

from gradkit.calls.edits import Edits, LinesRun

SOURCE = '''
import functools


def mean(xs, scale=2):
    """The mean."""
    if not xs:
        raise ValueError("empty")
    total = 0
    for x in xs:
        total += x
    return total / len(xs) * scale


@functools.lru_cache
def square(x):
    return x * x


def outer(x):
    def inner(y):
        return y + 1

    return inner(x)


class Counter:
    def __init__(self, start):
        self.count = start

    @property
    def next(self):
        return self.count + 1

    def __lost(self):
        return 7

    def lost(self):
        return self.__lost()


class Double(Counter):
    def __init__(self, start):
        super().__init__(2 * start)
'''


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "edited_module.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[path.stem]


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(SOURCE.splitlines(), 1) if text in line)


def edits(module: types.ModuleType, *lines: int) -> Edits:
    return Edits(Path(module.__file__), module, frozenset(lines))


def answers(module: types.ModuleType, call, *lines: int) -> dict[str, object]:
    """What the call answers with each edit of these lines; an exception by its class."""
    found = edits(module, *lines)
    count, *_ = found.put(-1)
    told = {}
    for number in range(count):
        _, line, _, text = found.put(number)
        assert line in (*lines, 0)
        if not line:  # it can't be made: the function would lose its `super`
            continue
        try:
            told[text] = call()
        except Exception as error:
            told[text] = type(error)
    found.put(-1)
    return told


def test_an_edit_is_in_place_until_the_next_and_none_stays(module):
    """Each answers in its own way; afterwards the function is what it was, its code the very object."""
    code = module.mean.__code__
    told = answers(module, lambda: module.mean([1, 2, 6]), line_of("return total"))

    assert told["Div -> Mult in total / len(xs)"] == 54
    assert told["total / len(xs) * scale -> total / len(xs)"] == 3
    assert told["scale -> total"] == 27
    assert module.mean([1, 2, 6]) == 6 and module.mean.__code__ is code


def test_every_use_of_a_function_is_edited(module):
    """What holds the function, a decorator or another name, answers with the edit too, and a cache keeps none of it."""
    other = module.mean
    assert 54 in answers(module, lambda: other([1, 2, 6]), line_of("return total")).values()

    told = answers(module, lambda: module.square(3), line_of("return x * x"))
    assert (told["Mult -> Add in x * x"], told["Mult -> Div in x * x"]) == (6, 1)
    assert module.square(3) == 9


def test_methods_properties_and_functions_inside_functions_are_edited(module):
    """With `super` and mangled names as they are."""
    assert -1 in answers(module, lambda: module.Counter(0).next, line_of("return self.count + 1")).values()
    assert 8 in answers(module, lambda: module.Counter(0).lost(), line_of("return 7")).values()
    assert 4 in answers(module, lambda: module.outer(5), line_of("return y + 1")).values()
    assert 3 in answers(module, lambda: module.Double(3).count, line_of("super().__init__")).values()
    assert module.Double(3).count == 6


def test_checks_of_arguments_are_left_alone(module):
    """They are given to students."""
    told = answers(module, lambda: module.mean([]), *range(1, line_of("total = 0")))

    assert told == {}


def test_a_statement_is_dropped_or_turned(module):
    """`total += x` becomes `total = x`, or goes."""
    told = answers(module, lambda: module.mean([1, 2, 6]), line_of("total += x"))

    assert (told["total += x -> total = x"], told["total += x -> pass"]) == (4, 0)


def test_lines_that_are_run_are_noted(module):
    """Of the file itself, whoever calls it; not of branches that are not taken."""
    run = LinesRun(module.__file__)
    module.mean([1])
    lines = run.end()

    assert sys.gettrace() is None
    assert line_of("total += x") in lines and line_of('raise ValueError("empty")') not in lines
    assert line_of("return x * x") not in lines
