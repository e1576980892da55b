"""A known mistake is named only when it accounts for all that its function's cases show."""

from __future__ import annotations

from dataclasses import dataclass

from gradkit.calls.values import encode
from gradkit.judge.answers import Repeat
from gradkit.judge.explain import Cause, Explanation, Seen
from gradkit.model import Outcome

RIGHT = ("answered", encode(1.0))
VALUES = {"right": 1.0, "wrong": 2.0, "odd": 3.0, "strange": 4.0, "both": 5.0}


@dataclass(frozen=True)
class Mistake:
    name: str
    replaces: tuple[str, ...]
    task: str = "task"
    hint: str = "?"


class Staff:
    """Mistakes in `inner`, which `outer` calls, and in `other`, which calls nothing.

    Args:
        answers: By mistake or `one+other`, by case, what it answers; elsewhere it is right.
    """

    calls = {"inner": {"inner"}, "outer": {"outer", "inner"}, "other": {"other"}}

    def __init__(self, functions: dict[str, str], answers: dict[str, dict[str, str]]) -> None:
        self.mistakes = [Mistake(name, (function,)) for name, function in functions.items()]
        self._answers = answers

    def mistake(self, name: str) -> Mistake:
        return next(mistake for mistake in self.mistakes if mistake.name == name)

    def reach(self, name: str) -> set[str]:
        return self.calls[name]

    def concerned(self, names: set[str]) -> list[Mistake]:
        reached = set().union(*map(self.reach, names))
        return [mistake for mistake in self.mistakes if reached & set(mistake.replaces)]

    def written_by_students(self, mistake: Mistake) -> str:
        return mistake.replaces[0]

    def answer(self, case: str, names: list[str]) -> dict[str, Repeat]:
        told = {name: self._answers.get(name, {}).get(case, "right") for name in names}
        return {name: Repeat([entry(what)], what != "right") for name, what in told.items()}


def entry(what: str) -> tuple[str, bytes]:
    """`wrong` is an answer, `!ValueError` an exception."""
    return ("raised", bytes(encode(what[1:]))) if what.startswith("!") else ("answered", bytes(encode(VALUES[what])))


def explained(staff: Staff, submission: dict[str, str]) -> dict[str, str]:
    """By case, the mistake that is named, or the functions between which nothing decides. `inner 1` is a case that calls `inner`."""
    seen = [
        Seen(
            case,
            "task",
            frozenset(case.split()[0].split(",")),
            Outcome.PASSED if what == "right" else Outcome.FAILED,
            transcript=[entry(what)] if what != "right" else [],
        )
        for case, what in submission.items()
    ]
    causes = Explanation(seen, staff, staff.answer).causes()
    return {case: said(cause) for case, cause in causes.items()}


def said(cause: Cause) -> str:
    return cause.mistake.name if cause.mistake else " or ".join(cause.functions)


def test_a_mistake_that_accounts_for_all_cases_is_named():
    """Where it fails the submission answers alike; where it passes, so does the submission."""
    staff = Staff({"a": "inner", "b": "inner"}, {"a": {"inner 1": "wrong"}, "b": {"inner 1": "odd"}})

    assert explained(staff, {"inner 1": "wrong", "inner 2": "right"}) == {"inner 1": "a"}
    assert explained(staff, {"inner 1": "odd", "inner 2": "right"}) == {"inner 1": "b"}


def test_a_passing_case_contradicts():
    """What the mistake would fail is passed: it is another one, whatever the failing case looks like."""
    staff = Staff({"a": "inner"}, {"a": {"inner 1": "wrong", "inner 2": "wrong"}})

    assert explained(staff, {"inner 1": "wrong", "inner 2": "wrong"}) == {"inner 1": "a", "inner 2": "a"}
    assert explained(staff, {"inner 1": "wrong", "inner 2": "right"}) == {}


def test_a_failing_case_without_a_cause_contradicts():
    """The mistake leaves a wrong answer of its own function, or of one that this calls, unexplained."""
    staff = Staff({"a": "inner", "c": "outer"}, {"a": {"inner 1": "wrong"}, "c": {"outer 1": "wrong"}})

    assert explained(staff, {"inner 1": "wrong", "inner 2": "odd"}) == {}
    assert explained(staff, {"outer 1": "wrong", "inner 1": "strange"}) == {}
    assert explained(staff, {"outer 1": "wrong", "other 1": "strange"}) == {"outer 1": "c"}


def test_another_answer_where_it_shows_contradicts():
    """The submission is wrong in the same cases, but in one of them otherwise."""
    staff = Staff({"a": "inner"}, {"a": {"inner 1": "wrong", "inner 2": "wrong"}})

    assert explained(staff, {"inner 1": "wrong", "inner 2": "odd"}) == {}


def test_a_crash_alone_names_nothing():
    """Any fault may end in the same exception. It is explained where an answer names the mistake."""
    crashes = {"inner 1": "!ValueError", "inner 2": "!ValueError"}
    staff = Staff({"a": "inner"}, {"a": crashes})
    assert explained(staff, crashes) == {}

    mixed = {"inner 1": "wrong", "inner 2": "!ValueError"}
    assert explained(Staff({"a": "inner"}, {"a": mixed}), mixed) == {"inner 1": "a", "inner 2": "a"}


def test_a_crash_that_hardly_anything_else_ends_in_is_evidence():
    """Bytes that are no text, or numbers that overflow, say what is wrong; if the function's other cases bear it out."""
    told = {"inner 1": "!UnicodeDecodeError"}
    staff = Staff({"a": "inner"}, {"a": told})

    assert explained(staff, told | {"inner 2": "right"}) == {"inner 1": "a"}
    assert explained(staff, told | {"inner 2": "!UnicodeDecodeError"}) == {}


def test_two_mistakes_are_each_named_where_they_show():
    """In different functions, each with cases of its own."""
    staff = Staff({"a": "inner", "d": "other"}, {"a": {"inner 1": "wrong"}, "d": {"other 1": "odd"}})

    assert explained(staff, {"inner 1": "wrong", "other 1": "odd"}) == {"inner 1": "a", "other 1": "d"}


def test_a_case_that_two_mistakes_share_must_be_answered_as_both_together():
    """`outer` calls `inner`: with both wrong its answer is a third one."""
    alone = {"a": {"inner 1": "wrong", "outer 1": "wrong"}, "c": {"outer 1": "odd", "outer 2": "odd"}}
    functions = {"a": "inner", "c": "outer"}
    submission = {"inner 1": "wrong", "outer 1": "both", "outer 2": "odd"}

    together = Staff(functions, alone | {"a+c": {"outer 1": "both"}})
    assert explained(together, submission) == {"inner 1": "a", "outer 1": "a", "outer 2": "c"}
    apart = Staff(functions, alone | {"a+c": {"outer 1": "strange"}})
    assert explained(apart, submission) == {"inner 1": "a"}


def test_a_fault_of_the_callers_own_hides_no_mistake_in_what_it_calls():
    """`outer` is wrong in a way that nobody listed; `inner` is named by its own cases, and not blamed for those of `outer`."""
    staff = Staff({"a": "inner"}, {"a": {"inner 1": "wrong", "outer 1": "wrong"}})

    assert explained(staff, {"inner 1": "wrong", "outer 1": "strange", "outer 2": "strange"}) == {"inner 1": "a"}
    assert explained(staff, {"inner 1": "wrong", "outer 1": "strange", "outer 2": "right"}) == {}


def test_what_explains_more_is_named():
    """A mistake that shows in fewer cases is no rival of one that explains all of them."""
    staff = Staff(
        {"a": "inner", "b": "inner"}, {"a": {"inner 1": "wrong"}, "b": {"inner 1": "wrong", "inner 2": "wrong"}}
    )

    assert explained(staff, {"inner 1": "wrong", "inner 2": "wrong"}) == {"inner 1": "b", "inner 2": "b"}


def test_between_two_that_answer_alike_nothing_decides():
    """In one function nothing is told; in two, which they are."""
    same = {"outer 1": "wrong"}

    assert explained(Staff({"c": "outer", "e": "outer"}, {"c": same, "e": same}), same) == {}
    assert explained(Staff({"a": "inner", "c": "outer"}, {"a": same, "c": same}), same) == {"outer 1": "inner or outer"}


def test_all_other_cases_say_which_of_two_it_is():
    """A case that both explain is told with the one that the rest bears out."""
    staff = Staff(
        {"a": "inner", "c": "outer"}, {"a": {"outer 1": "wrong", "inner 1": "wrong"}, "c": {"outer 1": "wrong"}}
    )

    assert explained(staff, {"outer 1": "wrong", "inner 1": "right"}) == {"outer 1": "c"}
    assert explained(staff, {"outer 1": "wrong", "inner 1": "wrong"}) == {"outer 1": "a", "inner 1": "a"}
