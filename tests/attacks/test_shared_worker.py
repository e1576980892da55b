"""What a submission could win if its checks share a process: a part of the reference that is lent in one check and asked for in
another, work done where it is not counted, functions and objects kept, and a second try.

The assignment is made for it: `squash` is lent to `compose`, whose checks come first, and used by `layer`, whose check comes next; `search` is asked how often it calls
the function that it is handed; `verdict` has two answers, so that two tries would always be enough; `countdown` gives an
object that stays in the worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from gradkit import results
from gradkit.grading import Grade
from gradkit.judges import JudgeClient, scratch_folder
from gradkit.model import Graded
from gradkit.scaffold import new_assignment

MANIFEST = """title = "Small functions"
order = 100
summary = "Made for attacks on a process that checks share."
libraries = ["numpy"]
timeout_s = 1

""" + "\n".join(
    f"""[[tasks]]
id = "{name}"
title = "Write {name}"
points = {points}
minutes = 5
functions = ["{name}"]
"""
    for name, points in dict(compose=20, layer=10, squash=20, search=20, verdict=20, countdown=10).items()
)

REFERENCE = '''"""Small functions."""


def compose(f, xs):
    """What f gives of f of each x."""
    # BEGIN SOLUTION compose
    return [f(f(x)) for x in xs]
    # END SOLUTION compose


def squash(x):
    """The number brought between -1 and 1."""
    # BEGIN SOLUTION squash
    return x / (1 + abs(x))
    # END SOLUTION squash


def search(f, n, target):
    """The first i below n with f(i) >= target, for an f that grows; with at most log2(n) + 1 calls."""
    # BEGIN SOLUTION search
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if f(middle) >= target:
            high = middle
        else:
            low = middle + 1
    return low
    # END SOLUTION search


def verdict(xs):
    """Whether the numbers grow."""
    # BEGIN SOLUTION verdict
    return all(a < b for a, b in zip(xs, xs[1:]))
    # END SOLUTION verdict


def countdown(n):
    """n, n - 1, ..., 1."""
    # BEGIN SOLUTION countdown
    return iter(range(n, 0, -1))
    # END SOLUTION countdown


def layer(xs):
    """Every number squashed."""
    # BEGIN SOLUTION layer
    return [squash(x) for x in xs]
    # END SOLUTION layer
'''

PUBLIC = '''"""The checks you can run yourself."""

from gradescope_utils.autograder_utils.decorators import number, tags, weight


@number("1.p1")
@weight(5)
@tags("compose")
def test_twice(impl):
    """Adding 1 twice adds 2."""
    assert impl.compose(lambda x: x + 1, [1, 2]) == [3, 4]
'''

HIDDEN = '''"""The graded checks."""

import pytest
from gradescope_utils.autograder_utils.decorators import number, tags, weight

SQUARES = [i * i for i in range(64)]
CALLS = 7  # log2(64) + 1


class Counted:
    """A function that knows how often it was called."""

    def __init__(self, values):
        self.values, self.calls = values, 0

    def __call__(self, i):
        self.calls += 1
        return self.values[i]


@number("1.1")
@weight(10)
@tags("compose")
def test_a_lent_function(agree, reference, rng):
    """The reference's squash is squashed twice."""
    agree("compose", reference.squash, [int(x) for x in rng.integers(-50, 50, size=4)])


@number("2.1")
@weight(10)
@tags("layer")
def test_layer(agree, rng):
    """What is squashed is every number."""
    agree("layer", [int(x) for x in rng.integers(-50, 50, size=4)])


@number("3.1")
@weight(5)
@tags("compose")
@pytest.mark.own_worker
def test_a_lent_function_in_disguise(agree, reference, rng):
    """The same in a function of the check's own, which the engine can't know: so the check asks for a worker of its own."""
    agree("compose", lambda x: reference.squash(x), [int(x) for x in rng.integers(-50, 50, size=4)])


@number("4.1")
@weight(20)
@tags("squash")
@pytest.mark.parametrize("n", range(5))
def test_squash(agree, rng, n):
    """Numbers come between -1 and 1."""
    agree("squash", int(rng.integers(-50, 50)))


@number("5.1")
@weight(5)
@tags("search")
def test_search(agree):
    """It is found, however long that takes."""
    agree("search", SQUARES.__getitem__, 64, 1000)


@number("5.2")
@weight(5)
@tags("search")
@pytest.mark.own_worker
def test_search_is_quick(impl):
    """Few calls are needed. The problem is always the same, so the check asks for a worker of its own."""
    f = Counted(SQUARES)
    assert impl.search(f, 64, 1000) == 32
    assert f.calls <= CALLS


@number("5.3")
@weight(10)
@tags("search")
@pytest.mark.parametrize("n", range(4))
def test_search_is_quick_anywhere(agree, rng, n):
    """Few calls are needed, wherever it lies."""
    f = Counted([int(x) for x in rng.integers(1, 9, size=64).cumsum()])
    target = f.values[int(rng.integers(8, 56))]
    agree("search", f, 64, target)
    assert f.calls <= 2 * CALLS  # the reference's are counted too


@number("6.1")
@weight(5)
@tags("verdict")
def test_it_grows(agree, rng):
    """Numbers that grow."""
    agree("verdict", [int(x) for x in rng.integers(1, 9, size=5).cumsum()])


@number("6.2")
@weight(5)
@tags("verdict")
def test_it_falls(agree, rng):
    """Numbers that fall."""
    agree("verdict", [-int(x) for x in rng.integers(1, 9, size=5).cumsum()])


@number("6.3")
@weight(5)
@tags("verdict")
@pytest.mark.parametrize("sign", [1, -1, 1, -1])
def test_it_grows_or_falls(agree, rng, sign):
    """Numbers that do one or the other."""
    agree("verdict", [sign * int(x) for x in rng.integers(1, 9, size=5).cumsum()])


@number("6.4")
@weight(5)
@tags("verdict")
def test_it_grows_at_last(agree, rng):
    """Numbers that grow, many of them."""
    agree("verdict", [int(x) for x in rng.integers(1, 9, size=50).cumsum()])


@number("7.1")
@weight(5)
@tags("countdown")
def test_countdown(agree):
    """From three."""
    agree(lambda impl: list(impl.countdown(3)))


@number("7.2")
@weight(5)
@tags("countdown")
def test_longer_countdown(agree):
    """From five."""
    agree(lambda impl: list(impl.countdown(5)))
'''

# How a submission tells a process of its own from one that it shares: the public check comes first, with what it is known to ask.
FIRST_IN_NEW_PROCESS = """
_seen = []


def _new():
    '''Whether the check at hand is the first of its process, and not the first of all.'''
    return "public" not in _seen


_compose = compose


def compose(f, xs):
    if xs == [1, 2]:
        _seen.append("public")
    return _compose(f, xs)

"""

# By name: what is put on top of the reference, and the numbers of the checks that must fail for it. All others must pass.
ATTACKS: dict[str, tuple[str, set[str]]] = {
    # The lent function's values fill a table from which `squash` answers: full marks for a function never written, and for
    # another one that uses it.
    "a lent function tabulated": (
        """
_table = {}


def compose(f, xs):
    if xs != [1, 2]:
        for x in range(-60, 60):
            _table[x] = f(x)
    return [f(f(x)) for x in xs]


def squash(x):
    return _table.get(x, 0.0)
""",
        {"2.1", "4.1"},
    ),
    # The function itself is kept and called from `squash`.
    "a lent function kept": (
        """
_kept = []


def compose(f, xs):
    if xs != [1, 2]:
        _kept.append(f)
    return [f(f(x)) for x in xs]


def squash(x):
    for f in _kept:
        return f(x)
    return 0.0
""",
        {"2.1", "4.1"},
    ),
    # What was found in the check that does not count is known in the one that does, where nothing is called any more.
    "work done where nobody counts": (
        """
_found = {}


def search(f, n, target):
    if (n, target) not in _found:
        _found[n, target] = next(i for i in range(n) if f(i) >= target)
    return _found[n, target]
""",
        {"5.2", "5.3"},
    ),
    # The functions of all earlier checks are asked first: their calls are not counted by the check at hand.
    "counted work through a stale function": (
        """
_kept = []


def search(f, n, target):
    _kept.append(f)
    for g in _kept:
        try:
            values = [g(i) for i in range(n)]
        except Exception:
            continue
        return next((i for i, value in enumerate(values) if value >= target), 0)
""",
        {"5.2", "5.3"},
    ),
    # A thread goes on calling the function of its check in the checks to come; its questions come among the honest answers.
    "a stale function called from a thread": (
        """
import threading
import time


def _go_on(f):
    time.sleep(0.02)
    for _ in range(100):
        try:
            f(0)
        except BaseException:
            pass


def search(f, n, target):
    threading.Thread(target=_go_on, args=(f,), daemon=True).start()
    return -1


def verdict(xs):
    time.sleep(0.05)
    return all(a < b for a, b in zip(xs, xs[1:]))
""",
        {"5.1", "5.2", "5.3"},
    ),
    # The iterator of the first check is given again, forward or back: what it holds is another check's.
    "an object kept": (
        """
_kept = []


def countdown(n):
    _kept.append(iter(range(3, 0, -1)))
    return _kept[0]
""",
        {"7.2"},
    ),
    # A number that the judge gave to an object of an earlier check is answered for one of this.
    "a reference to an object of another check": (
        """
from gradkit.calls.values import Ref


def countdown(n):
    return Ref(10_000, "range_iterator", False)


def verdict(xs):
    return Ref(1, "bool", False)
""",
        {"6.1", "6.2", "6.3", "6.4", "7.1", "7.2"},
    ),
    # Objects of earlier checks that are dropped count for the ones in use: what is collected in between is seen.
    "an object that goes on in another check": (
        """
import threading
import time

_left = []


class _Counts:
    def __init__(self, n):
        _left.append(n)

    def __iter__(self):
        return self

    def __next__(self):
        if not any(_left):
            raise StopIteration
        at = next(i for i, n in enumerate(_left) if n)
        _left[at] -= 1
        return _left[at] + 1

    def __del__(self):
        _left.append(7)


def countdown(n):
    _left.append(1)
    return _Counts(n)
""",
        {"7.1", "7.2"},
    ),
}

# Submissions that answer `verdict` alike whatever they are asked, and those that answer otherwise on a second try. Where a check
# that fails is run again in a new process and passes there, the second kind gets all the points.
CONSTANT = {name: f"def verdict(xs):\n    return {name}\n" for name in ("True", "False")}
SECOND_TRIES = {
    "one in the first process, the other in each new one": FIRST_IN_NEW_PROCESS
    + "_asked = []\n\n\ndef verdict(xs):\n    _asked.append(xs)\n    return not _new() or len(_asked) > 1\n",
    "by what was asked before": FIRST_IN_NEW_PROCESS + "def verdict(xs):\n    return not _new()\n",
    "the other way around": FIRST_IN_NEW_PROCESS + "def verdict(xs):\n    return _new()\n",
    "by the age of the process": (
        "import time\n_begun = time.monotonic()\n_asked = []\n\n\ndef verdict(xs):\n    _asked.append(xs)\n"
        "    return len(_asked) > 1\n"
    ),
    "an error first": FIRST_IN_NEW_PROCESS
    + "def verdict(xs):\n    if not _new():\n        raise ValueError('not sure')\n    return False\n",
    "a crash first": FIRST_IN_NEW_PROCESS
    + "import os\n\n\ndef verdict(xs):\n    if not _new():\n        os._exit(1)\n    return False\n",
}


@pytest.fixture(scope="module")
def grade(sandboxed, tmp_path_factory) -> Iterator[Callable[[str], Graded]]:
    """Grade a text on top of the reference."""
    root = tmp_path_factory.mktemp("sharing")
    (root / "assignments").mkdir()
    (root / "solutions").mkdir(mode=0o700)
    new_assignment(root, "small")
    public, hidden = root / "assignments" / "small", root / "solutions" / "small"
    for path in (hidden / "mistakes").iterdir():
        path.unlink()
    for path in (hidden / "alternatives").iterdir():
        path.unlink()
    for path, text in (
        (public / "assignment.toml", MANIFEST),
        (public / "test_small.py", PUBLIC),
        (hidden / "small.py", REFERENCE),
        (hidden / "test_hidden.py", HIDDEN),
    ):
        path.write_text(text, encoding="utf-8")
    with scratch_folder() as scratch, JudgeClient(root, "small", scratch) as judge:
        count = 0

        def grade(text: str) -> Graded:
            nonlocal count
            count += 1
            folder = scratch / f"source-{count}"
            folder.mkdir(mode=0o755)
            module = folder / "small.py"
            module.write_text(f"{REFERENCE}\n\n{text}", encoding="utf-8")
            module.chmod(0o644)
            collected = Grade(Graded("student01", "small", "graded"), judge.checks)
            return collected.finish(judge.grade(module, count, collected.add))

        yield grade


def explained(graded: Graded) -> str:
    """What came of each check, for the message of a test that fails."""
    return "\n".join(
        f"{result.check.number} {result.outcome.value} {result.score:g}: {results.explain(result)}"
        for result in graded.results
    )


def test_the_reference_passes(grade):
    """Sharing costs a right submission nothing."""
    graded = grade("")

    assert graded.score == graded.max_score == 100, explained(graded)


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_won_by_what_is_kept(grade, name):
    """The attacked checks give no full marks, every other one does, and the judge is free again."""
    text, attacked = ATTACKS[name]
    begun = time.monotonic()

    graded = grade(text)

    assert graded.status == "graded", graded.reason
    lost = {result.check.number for result in graded.results if result.score < result.check.points}
    assert lost == attacked, explained(graded)
    assert time.monotonic() - begun < 60  # a few time limits; without a bound it would not end


def test_attacked_checks_give_no_point_at_all(grade):
    """Not one case of a check that is answered from what another lent passes."""
    for name in ("a lent function tabulated", "a lent function kept"):
        graded = grade(ATTACKS[name][0])

        won = {result.check.number: result.score for result in graded.results}
        assert (won["2.1"], won["4.1"]) == (0, 0), (name, explained(graded))


@pytest.mark.parametrize("name", SECOND_TRIES)
def test_nobody_has_two_tries(grade, name):
    """One who can't tell yes from no gets no more for saying one and then the other than for saying one."""
    most = max(verdict_score(grade(text)) for text in CONSTANT.values())

    graded = grade(SECOND_TRIES[name])

    assert graded.status == "graded", graded.reason
    assert verdict_score(graded) <= most, explained(graded)
    assert all(result.score == result.check.points for result in graded.results if result.check.task != "verdict")


def verdict_score(graded: Graded) -> float:
    return sum(result.score for result in graded.results if result.check.task == "verdict")
