"""A check's digest changes with what decides its outcome, and with nothing else: said by edits, each with what it reaches."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from gradkit import digests as digests_module
from gradkit.digests import Digests, digests
from gradkit.errors import AuthoringError
from gradkit.manifest import Assignment, assignment_ids, load_assignment
from gradkit.mistakes import read_mistakes
from gradkit.reach import ModuleParts, Use
from gradkit.splice import Change

ROOT = Path(__file__).resolve().parent.parent.parent

REFERENCE = '''"""The reference."""

import numpy as np

EPS = 1e-6
RULES = {}


def rule(function):
    """Enters a function."""
    RULES[function.__name__] = function
    return function


@rule
def doubled(x):
    """Twice."""
    return 2 * x


def shared(x):
    # BEGIN SOLUTION centre
    return np.asarray(x)
    # END SOLUTION centre


def centre(x):
    """Centered."""
    return shared(x) - shared(x).mean()


def standardise(x):
    """Scaled."""
    # BEGIN SOLUTION standardise
    return shared(x) / np.sqrt(x.var() + EPS)
    # END SOLUTION standardise


def ruled(name, x):
    """By a rule."""
    return RULES[name](x)


def alone(x):
    """By itself."""
    return x
'''

HIDDEN = '''"""Checks."""

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, tags, weight

SIZE = 4
CASES = [1, 2]
NAMES = ["centre", "alone"]


@pytest.fixture
def data(rng):
    return rng.normal(size=SIZE)


@pytest.fixture(name="other")
def _other():
    return np.ones(2)


def helper(agree, x):
    agree("centre", x)


@number("1.1")
@weight(10)
@tags("centre")
def test_by_helper(agree, data):
    """By a helper, with data of a fixture."""
    helper(agree, data)


@number("1.2")
@weight(10)
@tags("centre")
@pytest.mark.parametrize("n", [3, 5])
def test_sizes(agree, n):
    """In sizes."""
    agree("standardise", np.arange(n), tol=(1e-5, 1e-5))


@number("1.3")
@weight(10)
@tags("centre")
@pytest.mark.parametrize("name", NAMES)
def test_named(impl, reference, name):
    """By names in a list."""
    assert getattr(impl, name)(1.0) == getattr(reference, name)(1.0)


@number("2.1")
@weight(10)
@tags("standardise")
def test_put_together(impl, reference):
    """By a name that is put together."""
    for kind in ("cen", "stan"):
        getattr(impl, f"{kind}tre")


@number("2.2")
@weight(10)
@tags("standardise")
def test_rules(agree, other):
    """By a rule that only a registry names."""
    agree("ruled", "doubled", other)


class TestTogether:
    """Two in a class."""

    @number("2.3")
    @weight(10)
    @tags("standardise")
    def test_in_a_class(self, agree):
        """In a class."""
        agree("alone", CASES)
'''
ALL = frozenset(
    "by_helper sizes named put_together rules in_a_class by_hand".split()
)  # the last is the one public check


@pytest.fixture
def assignment(kit: Path) -> Assignment:
    """An assignment with every way of using something, of which only the texts matter."""
    found = load_assignment(kit, "scaling")
    found.reference.write_text(REFERENCE, encoding="utf-8")
    found.hidden_tests.write_text(HIDDEN, encoding="utf-8")
    found.public_tests.write_text(
        "@number('1.p1')\n@weight(1)\n@tags('centre')\ndef test_by_hand(impl):\n    '''By hand.'''\n    impl.alone(1)\n",
        encoding="utf-8",
    )
    for path in found.mistakes():
        path.unlink()
    return found


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def reached(before: Digests, now: Digests) -> set[str]:
    """The checks that are run again, in short."""
    return {id.partition(":test_")[2] for id in Change.between(before, now).checks}


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("tol=(1e-5, 1e-5)", "tol=(1e-4, 1e-5)", "sizes"),
        ("[3, 5]", "[3, 6]", "sizes"),
        ('    agree("centre", x)', '    agree("centre", x + 1)', "by_helper"),
        ("size=SIZE", "size=(SIZE, 1)", "by_helper"),
        ("np.ones(2)", "np.ones(3)", "rules"),
        ("SIZE = 4", "SIZE = 5", "by_helper"),
        ("CASES = [1, 2]", "CASES = [1, 3]", "in_a_class"),
        ('"alone"]', '"standardise"]', "named"),
        ('@number("1.2")', '@number("1.5")', "sizes"),
        ('@tags("centre")', '@tags("standardise")', "by_helper"),
        ('@number("1.2")', '@pytest.mark.own_worker\n@number("1.2")', "sizes"),
        ("SIZE = 4", "SIZE = 4\nnp.seterr(all='raise')", "by_helper sizes named put_together rules in_a_class"),
        ("SIZE = 4", "SIZE = 4\npytestmark = pytest.mark.own_worker", "by_helper sizes named put_together rules in_a_class"),
        ("def data(rng)", "def data(rng, other)", "by_helper"),
        ("@pytest.fixture\n", "@pytest.fixture(autouse=True)\n", "by_helper sizes named put_together rules in_a_class"),
        ("def test_sizes(", "def test_other_sizes(", "sizes other_sizes"),
        # what changes nothing that is run
        ("@weight(10)", "@weight(20)", ""),
        ('"""In sizes."""', '"""In many sizes: a claim, which students read."""', ""),
        ("    helper(agree, data)", "    # as in the lecture\n    helper(agree,   data)", ""),
        ("SIZE = 4", "SIZE = 4\nUNUSED = 5", ""),
    ],
)  # fmt: skip
def test_an_edit_of_the_checks_reaches_those_that_use_it(assignment, old, new, again):
    """A tolerance, a parametrization, a helper, a fixture, a constant, a mark, a name; but no points, claim or comment."""
    before = digests(assignment)
    edit(assignment.hidden_tests, old, new)

    assert reached(before, digests(assignment)) == set(again.split())


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("return np.asarray(x)", "return np.asarray(x) + 0", "by_helper sizes named put_together"),
        ("x.var() + EPS", "x.var() - EPS", "sizes"),
        ("EPS = 1e-6", "EPS = 1e-5", "sizes"),
        ("return shared(x) - shared(x).mean()", "return shared(x) - 1", "by_helper named put_together"),
        ("    return x\n", "    return +x\n", "named in_a_class by_hand"),
        ("return 2 * x", "return 3 * x", " ".join(sorted(ALL))),  # who fills a registry at import is in effect for all
        ("RULES[name](x)", "RULES[name](x) + 0", "rules"),
        ("EPS = 1e-6", "EPS = 1e-6\nnp.seterr(all='raise')", " ".join(sorted(ALL))),
        # what changes nothing that is run
        ('"""Centered."""', '"""With mean 0."""', ""),
        ("EPS = 1e-6", "EPS = 1e-6  # as in the paper", ""),
        ("def alone", "def nobody(x):\n    return x\n\n\ndef alone", ""),
    ],
)  # fmt: skip
def test_an_edit_of_the_reference_reaches_the_checks_that_use_it(assignment, old, new, again):
    """Directly, through one another, by a name in quotes, put together, or in a registry."""
    before = digests(assignment)
    edit(assignment.reference, old, new)

    assert reached(before, digests(assignment)) == set(again.split())


@pytest.mark.parametrize(
    "line",
    [
        "    getattr(impl, 'cen' + input)",
        "    getattr(impl, input[:3])",
        "    vars(impl)['centre']",
        "    impl.__dict__",
        "    eval('impl.centre')",
        "    import sys; sys.modules",
        "    name = input.removesuffix('_old'); getattr(impl, name)",
        "    agree('{}tre'.format(input))\n    getattr(impl, input)",
    ],
)
def test_a_check_that_can_name_anything_reaches_everything(assignment, line):
    """Where no one can read off which functions it calls, each of them counts."""
    with open(assignment.hidden_tests, "a", encoding="utf-8") as file:
        file.write(
            f"\n\n@number('3.1')\n@tags('centre')\ndef test_any(impl, agree, input=''):\n    '''Any.'''\n{line}\n"
        )

    before = digests(assignment)
    edit(assignment.reference, "    return x\n", "    return +x\n")
    edit(assignment.hidden_tests, "SIZE = 4", "SIZE = 5")

    assert "any" in reached(before, digests(assignment))


@pytest.mark.parametrize(
    ("file", "reaches"),
    [
        ("assignments/scaling/README.md", False),
        ("assignments/scaling/figures.py", False),
        ("assignments/scaling/scaling.ipynb", False),
        ("solutions/scaling/notes.md", False),
        ("solutions/scaling/asked.toml", False),
        ("solutions/scaling/alternatives/loops.py", False),
        ("solutions/scaling/kill_matrix.txt", False),
        ("solutions/scaling/data.csv", True),
    ],
)
def test_handouts_and_figures_reach_nothing_and_a_file_of_data_everything(assignment, kit, file, reaches):
    """Whatever else lies in the two folders, a check could read."""
    before = digests(assignment)
    with open(kit / file, "a", encoding="utf-8") as out:
        out.write("\n# more\n")

    assert reached(before, digests(assignment)) == (set(ALL) if reaches else set())


@pytest.mark.parametrize(
    ("old", "new", "reaches"),
    [
        ("timeout_s = 1", "timeout_s = 2", True),
        ('libraries = ["numpy"]', 'libraries = ["numpy", "torch"]', True),
        ("timeout_s = 1", "timeout_s = 1\nmemory_mib = 512", True),
        ("timeout_s = 1", 'timeout_s = 1\nbanned = ["numpy.linalg.*"]', True),  # it decides flags and notes
        ('title = "Centre each feature"', 'title = "Center"', False),
        ("minutes = 10", "minutes = 20", False),
        ("order = 100", "order = 1", False),
    ],
)
def test_the_limits_of_the_manifest_reach_every_check(kit, assignment, old, new, reaches):
    """Time, memory, libraries and banned calls; no title and no minutes."""
    before = digests(assignment)
    edit(kit / "assignments" / "scaling" / "assignment.toml", old, new)

    assert reached(before, digests(load_assignment(kit, "scaling"))) == (set(ALL) if reaches else set())


def test_the_engine_reaches_every_check(assignment, monkeypatch):
    """Code that grades, and versions; the code is told from that which only prints or draws."""
    before = digests(assignment)
    here = Path(digests_module.gradkit.__file__).parent
    modules = {str(path.relative_to(here)) for path in digests_module._grading_modules(here)}

    monkeypatch.setattr(digests_module, "engine", lambda: "another")
    assert reached(before, digests(assignment)) == set(ALL)
    monkeypatch.undo()
    monkeypatch.setattr(digests_module.platform, "python_version", lambda: "3.99.0")
    assert reached(before, digests(assignment)) == set(ALL)

    assert {
        "judge/engine.py",
        "judge/explain.py",
        "worker/sandbox.py",
        "calls/values.py",
        "intake.py",
        "lint.py",
    } <= modules
    assert not {"report/pages.py", "cli/grading.py", "results.py", "batch.py"} & modules


@pytest.fixture
def taught(kit: Path) -> Assignment:
    """The small kit's own assignment, with its three mistakes."""
    return load_assignment(kit, "scaling")


@pytest.mark.parametrize(
    ("file", "old", "new", "mistakes", "checks"),
    [
        ("mistakes/centre.toml", "Each row of your result", "Every row", {"centre_over_examples"}, 0),
        ("mistakes/centre.toml", "axis=1", "axis=-1", {"centre_over_examples"}, 0),
        ("mistakes/centre.toml", 'why = "', 'why = "As seen in class: ', set(), 0),
        ("mistakes/standardise.toml", "[[mistakes]]", "# from the lecture\n[[mistakes]]", set(), 0),
        ("mistakes/centre.toml", "centre_over_examples", "another_name", {"centre_over_examples", "another_name"}, 0),
        ("scaling.py", "x.mean(axis=0)\n", "x.mean(axis=0) + 0\n", {"centre_over_examples"}, 2),
    ],
)
def test_a_mistake_has_a_digest_of_its_own(taught, file, old, new, mistakes, checks):
    """Its hint and its code, also where the reference gives it; no reason for staff, and no comment. No check is run for it."""
    before = digests(taught)
    edit(taught.hidden / file, old, new)

    change = Change.between(before, digests(taught))

    assert (set(change.mistakes), len(change.checks)) == (mistakes, checks)


def test_mistakes_that_do_not_fit_are_no_mistakes(taught):
    """As in the judge, where one that does not fit leaves nothing explained."""
    edit(taught.hidden / "mistakes/centre.toml", "axis=0", "axis=7")

    assert digests(taught).mistakes == {} and len(digests(taught).checks) == 5


def test_a_file_that_is_no_python_is_named_with_its_line(taught):
    """One line for the author."""
    edit(taught.hidden_tests, "def test_population", "def def test_population")

    with pytest.raises(AuthoringError, match=r"test_hidden.py:\d+: not valid Python"):
        digests(taught)


def test_digests_come_back_from_a_run_s_record(taught):
    """What is compared is what was written."""
    found = digests(taught)

    assert msgspec.json.decode(msgspec.json.encode(found), type=Digests) == found


def test_what_is_named_at_import_is_followed(tmp_path):
    """An attribute given to a function belongs to the function; a star import, a loop and an unused call are for all."""
    path = tmp_path / "checks.py"
    path.write_text(
        "import numpy as np\nfrom math import *\n_ = np.seterr()\n\ndef tool():\n    pass\n\n"
        "tool.unrecorded = True\nfor i in range(3):\n    np.ones(i)\n\ndef other():\n    return tool\n",
        encoding="utf-8",
    )
    parts = ModuleParts(path)

    nothing, _ = parts.reached(Use())
    found, _ = parts.reached(Use(frozenset({"other"})))

    assert sorted(nothing) == [0, 1, 2, 4 + 1]  # numpy is named by what is in effect
    assert sorted(found) == list(range(7))


def test_a_digest_names_what_is_near(assignment):
    """The reference's functions and values, and none of its imports."""
    near = digests(assignment).checks["hidden:test_sizes"].near

    assert near == {"standardise", "shared", "EPS", "RULES", "rule", "doubled"}  # the registry is in effect for all


ASSIGNMENTS = assignment_ids(ROOT)


@pytest.mark.parametrize("id", ASSIGNMENTS)
def test_whatever_a_mistake_was_seen_to_break_is_near(id):
    """In the kit's own kill matrices: a check that fails when a function is wrong has that function among those it reaches."""
    found = load_assignment(ROOT, id)
    checks = digests(found).checks
    text = (found.hidden / "kill_matrix.txt").read_text(encoding="utf-8")
    ids = re.findall(r"^ *\d+  \S+ +((?:public|hidden):test_\w+)$", text, re.MULTILINE)
    seen = 0

    for mistake in read_mistakes(found):
        rows = re.findall(rf"^{re.escape(mistake.name)} +[\d.]+[!*? ] (\S+)$", text, re.MULTILINE)
        assert len(rows) == 1, mistake.name
        (cells,) = rows
        for check, cell in zip(ids, cells, strict=True):
            if cell in "xH":
                seen += 1
                assert checks[check].near & set(mistake.replaces), (check, mistake.name)

    assert seen > 50
