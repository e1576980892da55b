"""The line that a student is told, where no known mistake fits: with one small change there, all checks of the task pass."""

from __future__ import annotations

import pytest

from gradkit import results
from gradkit.judge.explain import Seen
from gradkit.judge.repair import Budget, Search
from gradkit.judge.submissions import Edited
from gradkit.model import Outcome

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


class Submission:
    """One whose line numbers are given.

    Args:
        mends: For each edit, its line, its statement, and the cases that pass with it.
        run: The lines that every case runs.
        lasting: Edits that pass on other inputs too.
    """

    def __init__(
        self,
        *mends: tuple[int, int, set[str]],
        run: frozenset[int] = frozenset({1, 2, 3, 9}),
        lasting: set[int] | None = None,
    ) -> None:
        self._mends, self._run, self._lasting = mends, run, lasting
        self.asked: list[tuple[int, ...]] = []

    def lines(self, key: str) -> frozenset[int]:
        return frozenset(self._run)

    def put(self, lines: tuple[int, ...], number: int) -> Edited:
        self.asked.append(lines)
        self._number = number
        line, statement, _ = self._mends[number]
        return Edited(len(self._mends), line, statement, f"edit {number}")

    def passes(self, key: str, other: bool) -> bool:
        lasting = not other or self._lasting is None or self._number in self._lasting
        return lasting and key in self._mends[self._number][2]

    def repairs(self, *ran: Seen, explained: tuple[str, ...] = (), cpu_s: float = 10.0) -> dict[str, int]:
        search = Search(list(ran), explained, self.lines, self.put, self.passes, lambda: None, Budget(cpu_s))
        return {task: repair.line for task, repair in search.repairs().items()}


def case(key: str, outcome: Outcome = FAILED, *, names: str = "f") -> Seen:
    """`task 1` is a case of `task`."""
    return Seen(key, key.split()[0], frozenset([names]), outcome)


def test_a_line_is_told_where_all_cases_of_the_task_pass():
    """Also those that passed before."""
    ran = case("a 1"), case("a 2"), case("a 3", PASSED)

    assert Submission((2, 2, {"a 1", "a 2", "a 3"})).repairs(*ran) == {"a": 2}
    assert Submission((2, 2, {"a 1", "a 2"})).repairs(*ran) == {}
    assert Submission((2, 2, {"a 1", "a 3"})).repairs(*ran) == {}


def test_a_case_of_another_task_that_passes_must_go_on_passing():
    """If it calls what failed."""
    ran = case("a 1"), case("b 1", PASSED)

    assert Submission((2, 2, {"a 1"})).repairs(*ran) == {}
    assert Submission((2, 2, {"a 1"})).repairs(case("a 1"), case("b 1", PASSED, names="g")) == {"a": 2}


def test_edits_of_two_statements_say_nothing():
    """Of two lines of one statement it is the statement that is told."""
    both = {"a 1"}

    assert Submission((2, 2, both), (3, 3, both)).repairs(case("a 1")) == {}
    assert Submission((2, 2, both), (3, 2, both)).repairs(case("a 1")) == {"a": 2}
    assert Submission((3, 2, both), (3, 2, both)).repairs(case("a 1")) == {"a": 3}


def test_an_edit_must_pass_on_other_inputs():
    """What passes once by chance is none; one of another line then counts no more."""
    both = {"a 1"}

    assert Submission((2, 2, both), lasting=set()).repairs(case("a 1")) == {}


def test_nothing_is_looked_for_where_it_could_not_be_true():
    """A task with a case that a hint explains, that is not written, or that nobody could grade."""
    for other, explained in (
        (case("a 2"), ("a 2",)),
        (case("a 2", Outcome.NOT_WRITTEN), ()),
        (case("a 2", Outcome.GRADER_ERROR), ()),
    ):
        submission = Submission((2, 2, {"a 1", "a 2"}))
        assert submission.repairs(case("a 1"), other, explained=explained) == {} and not submission.asked
    assert Submission((2, 2, {"a 1"})).repairs(case("a 1"), case("a 2", Outcome.NOT_RUN)) == {"a": 2}


def test_only_lines_that_every_failing_case_runs_are_edited():
    """And where none can be told, none."""
    submission = Submission((2, 2, {"a 1"}), run={2, 5})
    submission.repairs(case("a 1"))
    assert set(submission.asked) == {(2, 5)}

    nothing = Submission((2, 2, {"a 1"}), run=set())
    assert nothing.repairs(case("a 1")) == {} and not nothing.asked


def test_an_edit_that_mends_one_task_is_tried_first_on_the_next():
    """One fault may fail checks of two tasks: both are told the same line."""
    submission = Submission((2, 2, set()), (9, 9, {"a 1", "b 1"}))

    assert submission.repairs(case("a 1"), case("b 1", names="g")) == {"a": 9, "b": 9}


def test_the_search_ends_with_its_budget():
    """Without time nothing is tried."""
    submission = Submission((2, 2, {"a 1"}))

    assert submission.repairs(case("a 1"), cpu_s=0.0) == {} and not submission.asked


# ---- end to end


def told(graded) -> set[str]:
    return {case.hint for result in graded.results for case in result.cases if case.hint}


def line(source: str, text: str) -> int:
    return next(number for number, line in enumerate(source.splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("return x - x.mean(axis=0)", "return x - 3 * x.mean(axis=0)"),
        ("np.sqrt(x.var(axis=0) + eps)", "np.sqrt(x.var(axis=0) * eps)"),
        ("np.sqrt(x.var(axis=0) + eps)", "np.sqrt(x.std(axis=0) + eps)"),
    ],
)  # fmt: skip
def test_the_wrong_line_is_told_and_not_how_it_is_mended(grade_source, reference_source, right, wrong):
    """In the sandbox, as a student is graded; staff see the edit. The score is what it was."""
    source = reference_source.replace(right, wrong)
    graded = grade_source(source)

    (hint,) = told(graded)
    assert hint == f"With one small change at scaling.py:{line(source, wrong)}, all checks of this task pass."
    edits = {case.edit for result in graded.results for case in result.cases if case.edit}
    assert edits and not any(edit in results.shown(result, graded) for edit in edits for result in graded.results)
    assert 0 < graded.score < 100


def test_two_faults_in_one_task_have_no_line(grade_source, reference_source):
    """No single edit makes its checks pass."""
    source = reference_source.replace("x.var(axis=0) + eps", "x.var(axis=1) + 2 + eps")

    assert told(grade_source(source)) == set()


def test_a_line_is_told_of_a_function_that_crashes_or_never_ends(grade_source, reference_source):
    """As long as one edit mends it: here a loop that does not come nearer to its end."""
    loop = "total = 0 * x[0]\n    i = 0\n    while i < len(x):\n        total = total + x[i]\n        i = i + 0\n    return x - total / len(x)"
    source = reference_source.replace("return x - x.mean(axis=0)", loop)

    assert told(grade_source(source)) == {
        f"With one small change at scaling.py:{line(source, 'i = i + 0')}, all checks of this task pass."
    }


LIES = """

def _lie(answer):
    import sys
    from gradkit.calls import edits
    edits.Edits = type("Edits", (), {"__init__": lambda self, *a: None, "put": lambda self, number: answer})
    edits.LinesRun = type("LinesRun", (), {"__init__": lambda self, *a: None, "end": lambda self: (1, 2)})

_lie(ANSWER)
"""


@pytest.mark.parametrize(
    "answer",
    [
        "(3, 10**6, 1, 'x')", "(10**9, 1, 1, 'x')", "(-1, 1, 1, 'x')", "(3, True, 1, 'x')", "('3', 1, 1, 'x')", "(3, 1, 1)", "None",
        "(3, 1, 1, '\\ud800' * 10**6)", "(3, 1, 1, 5)", "(3, 1, 1, '</code><script>')",
    ],
)  # fmt: skip
def test_a_submission_that_lies_about_its_edits_wins_nothing(grade_source, reference_source, answer):
    """Whatever it says of lines and edits: no point, no line that it does not have, no loss."""
    honest = reference_source.replace("x - x.mean(axis=0)", "x - 3 * x.mean(axis=0)")
    graded = grade_source(honest + LIES.replace("ANSWER", answer))

    assert graded.status == "graded" and graded.score == grade_source(honest).score
    assert told(graded) == set()
    assert not any("not explained" in flag for flag in graded.flags)


def test_a_submission_that_mends_itself_while_it_is_searched_gains_no_point(grade_source, reference_source):
    """It may hold a right answer back until edits are tried: its score is told before."""
    source = reference_source.replace(
        "x - x.mean(axis=0)", "x - (3 if _searched() else 2) * x.mean(axis=0) * _searched()"
    )
    source += "\n\ndef _searched():\n    import gc\n    return any(type(one).__name__ == 'Edits' for one in gc.get_objects())\n"

    graded = grade_source(source)
    assert graded.score < 100
