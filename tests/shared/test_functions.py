"""Which functions a check is about, and which a student has written, read from the text of files."""

import textwrap

import pytest
from coursekit.functions import CheckFile, Function, command, written_in_namespace, written_in_text

CHECKS = '''
import pytest

CASES = [("relu", lambda impl: impl.relu(1.0))]


def straight(module, x):
    return module.linear(x)


def twice(impl, x):
    return straight(impl, straight(module=impl, x=x))


@pytest.fixture
def trained(impl):
    return impl.fit(3)


@tags("one")
def test_direct(impl, vjp):
    """A claim."""
    (slope,) = vjp(impl.softplus, 1.0)
    value = impl.inverse_softplus(2.0)
    for number in (slope, 3.0):
        wide = number + 1
        assert_close(
            wide,
            2.0,
        )
    assert_close(value, impl.softplus(3.0))


@tags("two")
def test_through_helpers(impl):
    result = twice(impl, 2)
    assert result == 3


@tags("two")
def test_through_a_fixture(trained):
    assert trained


@tags("two")
@pytest.mark.parametrize(("name", "x"), [("sigmoid", 1), ("tanh", 2)])
def test_by_name(impl, name, x):
    getattr(impl, name)(x)
    getattr(impl, "softmax")(x)


@tags("two")
def test_of_constants(impl):
    for name, call in CASES:
        call(impl)


@tags("three")
def test_of_a_class(impl):
    tokenizer = impl.Tokenizer([1])

    def inner():
        return tokenizer.encode("a")

    assert inner() == 3
'''


@pytest.mark.parametrize(
    ("check", "names"),
    [
        ("test_direct", {"softplus", "inverse_softplus"}),
        ("test_through_helpers", {"linear"}),
        ("test_through_a_fixture", {"fit"}),
        ("test_of_constants", {"relu"}),
        ("test_of_a_class", {"Tokenizer"}),
        ("test_that_is_not_there", set()),
    ],
)
def test_a_check_is_about_what_it_names(check, names):
    """As `impl.NAME`, through helpers that are handed the module under any name, fixtures and lists of cases."""
    assert CheckFile(CHECKS).about(check).names == names


def test_each_case_is_about_its_own_name():
    """`getattr(impl, name)` with a parameter: what the case says, and in the text all its values."""
    file = CheckFile(CHECKS)

    assert file.about("test_by_name").of_case({"name": "tanh", "x": 2}).names == {"softmax", "tanh"}
    assert [case.names for case in file.cases("test_by_name")] == [{"softmax", "sigmoid"}, {"softmax", "tanh"}]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("            wide,", {"softplus"}),
        ("    assert_close(value", {"softplus", "inverse_softplus"}),
        ("    value = impl", {"inverse_softplus"}),
        ("    assert result == 3", {"linear"}),
        ("    assert inner() == 3", {"Tokenizer"}),
        ("    return module.linear(x)", {"linear"}),
        ("CASES = ", set()),
    ],
)
def test_behind_a_statement_are_the_names_that_its_values_came_from(line, names):
    """Variables are followed back through assignments, loops and functions inside the check."""
    file = CheckFile(CHECKS)
    for check in file.checks:
        file.about(check)  # learns what helpers call the module
    number = 1 + next(place for place, text in enumerate(CHECKS.splitlines()) if text.startswith(line))

    assert file.suspects(number) == names


def test_the_task_of_a_check_is_its_first_tag():
    """As gradescope-utils and the judge read it."""
    assert CheckFile(CHECKS).checks["test_of_a_class"] == "three"


def test_methods_and_classes_are_functions_too():
    """A method is named with its class; a class that several tasks ask for is that of the check's own task."""
    about = CheckFile(CHECKS).about("test_of_a_class")
    methods = [Function("three", "Tokenizer.encode"), Function("three", "Tokenizer.decode")]
    parts = [Function("two", "Tokenizer"), Function("three", "Tokenizer")]

    assert about.functions(methods, "three") == methods[:1]
    assert about.functions(parts, "three") == parts[1:]
    assert command(parts[0], parts) == "pytest --task two -k Tokenizer"
    assert command(methods[0], methods) == "pytest -k Tokenizer.encode"


def test_text_that_is_no_python_names_nothing():
    """pytest says what is wrong with it."""
    assert CheckFile("def test(:").checks == {} and written_in_text("def f(:").names is None


STUDENTS = '''
import math
from os.path import join as joined

LIMIT: int = 3
if LIMIT:
    def chosen(): return later()


def later():
    raise NotImplementedError("task one is not written yet")


def dead(x):
    return x
    raise NotImplementedError("task one is not written yet")


def inside(x):
    def helper():
        raise NotImplementedError("task two is not written yet")
    return helper()


class Tokenizer:
    def encode(self, text):
        return chosen()

    def decode(self, ids):
        """Not yet: task three is not written yet."""
        raise NotImplementedError("task three is not written yet")
'''


@pytest.mark.parametrize("how", ["text", "notebook"])
def test_a_function_is_unwritten_while_its_stub_line_can_be_reached(how):
    """Below a return it can't; in a function inside it can; a class has the lines of its methods, task by task."""
    if how == "text":
        written = written_in_text(STUDENTS)
    else:
        exec(compile(STUDENTS, "cell", "exec"), namespace := {})
        written = written_in_namespace(namespace)

    unwritten = {
        name for name in ("chosen", "later", "dead", "inside", "Tokenizer", "Tokenizer.encode", "Tokenizer.decode")
        for task in ("one", "two", "three") if written.holds_stub(Function(task, name))
    }  # fmt: skip
    assert unwritten == {"later", "inside", "Tokenizer", "Tokenizer.decode"}
    assert not written.holds_stub(Function("four", "Tokenizer"))
    assert not written.lacks(Function("one", "Tokenizer.encode")) and written.lacks(Function("one", "helper"))
    assert not any(written.lacks(Function("one", name)) for name in ("LIMIT", "chosen", "joined", "math"))
    assert written.needs(["Tokenizer"]) >= {"Tokenizer", "chosen", "later"}


def test_what_a_star_brings_is_not_known():
    """Then nothing is called missing."""
    written = written_in_text(textwrap.dedent("from helpers import *\n"))

    assert not written.lacks(Function("one", "softplus"))
