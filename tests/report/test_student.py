"""A student's page and results.json say the same, each hint once, and nothing that only staff may see."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from class_zoo import case, graded, student, write_run
from reading import report, student_page

from gradkit import results
from gradkit.model import Check, CheckResult, Graded, Outcome
from gradkit.report.student import student_page as worked_out

HINT = "Which rows does the number you subtract depend on?"
OTHER = "At which position does the new query sit?"
LINE = "With one small change at centre.py:7, all checks of this task pass."


def failed(number: str, *cases, hidden: bool = True, task: str = "centre", points: float = 10) -> CheckResult:
    """A check with these cases, called after its number."""
    name = f"check {number}"
    ids = tuple(map(str, range(len(cases))))
    check = Check(f"hidden:{name}", number, name, task, points, hidden, f"What {number} claims.", ids)
    return CheckResult(check, tuple(replace(one, case=id) for one, id in zip(cases, ids)))


def wrong(hint: str = "", summary: str = "it is wrong", **more: str):
    return case(Outcome.FAILED, summary, hint=hint, **more)


def of(*found: CheckResult) -> Graded:
    return Graded("student01", "centre", "graded", found)


def outputs(*found: CheckResult) -> dict[str, str]:
    """What results.json says under each check."""
    return {test["number"]: test["output"] for test in results.gradescope(of(*found))["tests"]}


def test_a_students_page_is_what_the_student_sees(zoo):
    """Every check of results.json, and what is said of it, is on the page; and nothing of what staff see."""
    report(zoo)

    for name in ("student01", "student03", "student04", "student07", "student08"):
        page = student_page(zoo, name)
        seen = json.loads((zoo / name / "results.json").read_text(encoding="utf-8"))
        assert " ".join(seen["output"].split()) in page.words, name
        for test in seen["tests"]:
            assert f"{test['number']} {test['name']}" in page.words, name
            for line in test["output"].splitlines():
                said = line.removeprefix("Hint: ").removeprefix("Not run here: ").removeprefix("needs a GPU. ")
                assert said == "Not written yet." or said in page.words, (name, line)
        assert "doubled" not in page.words and "softmax" not in page.words and "example.edu" not in page.words
        assert not any(
            tag in ("script", "a") and attributes.get("href") != "#content" for tag, attributes in page.elements
        )


def test_a_hint_stands_once_with_the_checks_it_explains_under_it(tmp_path):
    """On the page, at the first of these checks, whatever stands between them; each check stands once too."""
    doubled = wrong("Your output is twice as large.")
    write_run(tmp_path, [student(1, {"1.1": [doubled, doubled], "1.2": [wrong()], "2.1": [doubled]})])
    report(tmp_path)

    words = student_page(tmp_path, "student01").words

    assert words.count("Your output is twice as large.") == 1
    assert "Hint for 1.1 and 2.1 Your output is twice as large. 1.1 first (hidden)" in words
    places = [words.index(f"{name} (") for name in ("1.1 first", "2.1 second", "1.2 easy")]
    assert places == sorted(places) and all(words.count(f"{name} (") == 1 for name in ("first", "second", "easy"))


def test_a_check_with_two_hints_is_listed_once_and_named_at_both():
    """Its cases come from two mistakes: it stands under the first hint, and the second one points up to it."""
    page = worked_out(
        of(failed("1.1", wrong(HINT), wrong(OTHER)), failed("1.2", wrong()), failed("2.1", wrong(OTHER))), {}
    )

    groups = page.sections[0].groups
    assert [(group.hint, group.explains, group.elsewhere) for group in groups] == [
        (HINT, "1.1", ""),
        (OTHER, "1.1 and 2.1", "1.1"),
        ("", "", ""),
    ]
    assert [[line.number for line in group.lines] for group in groups] == [["1.1"], ["2.1"], ["1.2"]]


def test_the_first_check_tells_a_hint_in_full_and_the_others_say_where_it_stands():
    """In results.json each check is opened by itself: one line leads from it to the hint, by number and name."""
    said = outputs(
        failed("1.1", wrong(HINT)), failed("1.2", wrong()), failed("2.1", wrong(HINT)), failed("3.1", wrong(HINT))
    )

    assert said["1.1"].splitlines()[-1] == f"Hint, also for 2.1 and 3.1: {HINT}"
    assert said["2.1"].splitlines()[-1] == said["3.1"].splitlines()[-1] == "Hint: see check 1.1, check 1.1."
    assert "Hint" not in said["1.2"]
    assert sum(HINT in text for text in said.values()) == 1


def test_a_check_by_itself_tells_its_hints_in_full():
    """Where no other check is shown there is nowhere to point to."""
    text = results.explain(failed("2.1", wrong(HINT), wrong(OTHER)))

    assert f"Hint: {HINT}" in text and f"Hint: {OTHER}" in text


def test_the_function_that_a_hint_is_about_is_told_at_each_check():
    """It does not make two hints of one: the check of another function says which function is at fault."""
    said = outputs(failed("1.1", wrong(HINT)), failed("3.1", wrong(HINT, blamed="softmax"), task="sdpa"))

    assert "This comes from" not in said["1.1"]
    assert said["3.1"].splitlines()[-2:] == ["This comes from softmax.", "Hint: see check 1.1, check 1.1."]


def test_the_line_of_one_task_is_not_that_of_another():
    """ "All checks of this task" are others in another task, even where it is the same line of the file."""
    edit = {"edit": "+ -> -", "where": "centre.py:7"}
    said = outputs(
        failed("1.1", wrong(LINE, **edit)),
        failed("1.2", wrong(LINE, **edit)),
        failed("2.1", wrong(LINE, **edit), task="scale"),
    )

    assert f"Hint, also for 1.2: {LINE}" in said["1.1"] and f"Hint: {LINE}" in said["2.1"]
    assert "see check 1.1" in said["1.2"]


def test_points_in_public_checks_stand_beside_the_points(tmp_path):
    """In the headline and for each task. Of the task "scale" one check could not run: its points are left out."""
    write_run(tmp_path, [student(1, {"1.1": [case(), wrong()], "1.2": [wrong()]})])
    report(tmp_path)

    words = student_page(tmp_path, "student01").words

    assert "60 of 90 points: 0 of 10 in the public checks, 60 of 80 in the hidden ones." in words
    assert "1 centre 0 of 10 20 of 40 20 of 50" in words
    assert "2 scale none 40 of 40 40 of 40" in words
    assert "All tasks 0 of 10 60 of 80 60 of 90" in words


def test_only_points_of_one_kind_are_not_told_twice():
    """Where all checks are hidden, or only the public ones could run, the headline has one pair of numbers."""
    assert results.headline(of(failed("1.1", wrong()))) == "0 of 10 points."


@pytest.mark.parametrize(
    ("record", "title", "why"),
    [
        ({"status": "refused", "reason": "no centre.py in it"}, "Not run", "Your submission can't be graded. The reason is at the top."),
        ({"status": "not_graded", "reason": "the disk is full"}, "Not run", "Because of a grader error; you lose no points."),
        ({"complete": False}, "No result yet", ""),
    ],
)  # fmt: skip
def test_checks_without_a_result_are_listed_once_with_the_reason(tmp_path, record, title, why):
    """Not a line of the same words under each of them."""
    write_run(tmp_path, [graded("student01", [], **record)])
    report(tmp_path)

    words = student_page(tmp_path, "student01").words

    assert " ".join(f"{title} {why} 1.1 first (hidden) 40 points 1.2 easy".split()) in words
    assert words.count(why or title) == 1


def test_a_file_that_can_not_be_imported_is_one_reason(tmp_path):
    """At the top with its line; the checks are a list."""
    broken = case(Outcome.FAILED, "importing your file raised ZeroDivisionError at centre.py:2", unimportable=True)
    write_run(tmp_path, [student(1, {"1.1": [broken, broken], "1.2": [broken], "2.1": [broken]})])
    report(tmp_path)

    words = student_page(tmp_path, "student01").words

    assert words.count("ZeroDivisionError") == 1
    assert "Not checked Your file can't be imported. The reason is at the top. 1.1 first (hidden) 0 of 40" in words


def test_a_grader_error_tells_students_nothing_of_the_check(tmp_path):
    """Its text is the exception of the reference, which may hold a hidden input and a path of staff's."""
    secret = "the reference fails hidden:first too: AssertionError: 3.7 == 4.2 (/kit/solutions/centre/test_hidden.py:9)"
    ours = graded("student01", [("1.1", case(Outcome.GRADER_ERROR, secret))], status="not_graded", reason=secret)
    write_run(tmp_path, [ours])

    index = report(tmp_path)

    told = (tmp_path / "student01" / "results.json").read_text(encoding="utf-8")
    told += student_page(tmp_path, "student01").words
    assert "3.7" not in told and "solutions" not in told and "AssertionError" not in told
    assert "because of a grader error; you lose no points" in told
    assert secret in index.words
