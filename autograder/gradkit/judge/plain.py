"""Runs hidden checks in the plain process with pytest's ordinary output, for whoever writes them. Nothing is isolated.

`solutions/conftest.py` takes the names below, so that this works in the kit:

    pytest solutions/ID/test_hidden.py                            # on the reference
    pytest solutions/ID/test_hidden.py --submission FILE --seed 7

Prints are shown, and where the implementation raises, its own traceback stands in a section of the report.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradkit.judge.engine import ADDED_MARKS, Run
from gradkit.judge.fixtures import GIVEN
from gradkit.judge.staff import Staff
from gradkit.judge.subjects import LocalSubject, SubmissionRaised
from gradkit.manifest import load_assignment

_ENGINE = Path(__file__).resolve().parent.parent

__all__ = [*GIVEN, "pytest_addoption", "pytest_configure", "pytest_runtest_makereport", "run"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which file is checked, and with which seed."""
    group = parser.getgroup("hidden checks")
    group.addoption("--submission", type=Path, metavar="FILE", help="check this .py file; by default the reference")
    group.addoption("--seed", type=int, default=1, help="for the checks' inputs (default: 1, as gradkit verify begins)")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a file that can't be checked before anything is collected."""
    for mark in ADDED_MARKS:
        config.addinivalue_line("markers", mark)
    path = config.getoption("--submission")
    if path is not None and not (path.suffix == ".py" and path.is_file()):
        raise pytest.UsageError(f"--submission {path}: no such .py file")


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Run:
    """What the other fixtures are made from: whose code is checked, and on which seed."""
    staff = _staff(request.path)
    path = request.config.getoption("--submission")
    module = staff.reference_module()
    if path is not None:
        module = _submission(path.resolve(), module.__name__)
    return Run(staff, LocalSubject(module, quiet=False), request.config.getoption("--seed"))


def _fixture(name: str) -> object:
    @pytest.fixture(name=name)
    def fixture(run: Run, request: pytest.FixtureRequest) -> object:
        return GIVEN[name](run, request.node)

    fixture.__doc__ = GIVEN[name].__doc__
    return fixture


globals().update({name: _fixture(name) for name in GIVEN})


@functools.cache
def _staff(tests: Path) -> Staff:
    """The reference of the assignment whose hidden checks stand in this file."""
    return Staff(load_assignment(tests.parents[2], tests.parent.name))


@functools.cache
def _submission(path: Path, name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    before, sys.modules[name] = sys.modules.get(name), module  # dataclasses look their module up while they are made
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        pytest.fail(f"{path}:{error.lineno}: not valid Python: {error.msg}", pytrace=False)
    finally:
        if before is not None:
            sys.modules[name] = before
    return module


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Show the check's own lines, and the implementation's where it raised: the engine's between them say nothing."""
    error = call.excinfo.value if call.excinfo is not None else None
    if error is not None:
        call.excinfo = pytest.ExceptionInfo.from_exception(_without_engine(error))
    report = yield
    if isinstance(error, SubmissionRaised) and error.__context__ is not None:
        raised = error.__context__.__cause__ or error.__context__
        lines = traceback.format_exception(None, _without_engine(raised), raised.__traceback__, chain=False)
        report.sections.append(("raised by the implementation", "".join(lines)))
    return report


def _without_engine(error: BaseException) -> BaseException:
    """The same exception, its traceback without frames of the engine's where there are others."""
    frames, traced = [], error.__traceback__
    while traced is not None:
        if _ENGINE not in Path(traced.tb_frame.f_code.co_filename).parents:
            frames.append(traced)
        traced = traced.tb_next
    for frame in reversed(frames):
        traced = types.TracebackType(traced, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return error.with_traceback(traced) if frames else error
