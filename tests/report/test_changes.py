"""Two runs compared: nobody is missing, and each difference is told once, in the terminal, as CSV and on a page."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace
from pathlib import Path

import class_zoo
import msgspec
import pandas
import pytest
from axe import violations
from browser import find_chromium
from class_zoo import HOSTILE, case, graded, student, write_run
from reading import Text

from gradkit import results
from gradkit.errors import InputError
from gradkit.model import Outcome, Override
from gradkit.policy import Lateness
from gradkit.report.changes import Changes, compare_runs, table
from gradkit.report.pages import render_changes, write_report
from gradkit.runs import Regrade, RunRecord

WRONG = case(Outcome.FAILED, "wrong")
DOUBLED = case(Outcome.FAILED, "wrong", mistake="doubled", hint="Twice.")


def write(folder: Path, class_: list, *regrades: Regrade, assignment: str = "centre") -> Path:
    """A run over this class, with its record."""
    write_run(folder, class_)
    record = RunRecord(assignment, "c", 1, "cpu", regrades=list(regrades))
    (folder / "run.json").write_bytes(msgspec.json.encode(record))
    return folder


def refused(name: str):
    return graded(name, [], status="refused", reason="no centre.py in it")


OLD = [
    student(1, {}),
    student(2, {"2.1": [WRONG]}),
    student(3, {"2.1": [WRONG]}),
    student(4, {"1.1": [case(), WRONG]}),
    refused("student05"),
    student(6, {}),
    student(7, {"2.1": [WRONG]}),
    refused("student08"),
    student(9, {"1.1": [WRONG, WRONG]}),
    student(10, {}),
    student(12, {}),
]
NEW = [
    student(1, {}),
    student(2, {}),  # gains
    student(3, {"2.1": [DOUBLED]}),  # another hint
    student(4, {"1.1": [WRONG, WRONG]}),  # loses
    student(5, {}),  # graded now
    refused("student06"),
    student(7, {"1.1": [WRONG, WRONG]}),  # other checks, the same score
    graded("student08", [], status="not_graded", reason="the reference fails too"),
    student(9, {"1.1": [WRONG, WRONG]}),
    student(11, {}),
    replace(student(12, {}), late=Lateness(late_s=9.0, days=1, share=0.5)),
]
KINDS = {
    1: "same", 2: "score", 3: "hints", 4: "score", 5: "now", 6: "no-longer", 7: "checks", 8: "status", 9: "same",
    10: "only-old", 11: "only-new", 12: "score",
}  # fmt: skip


@pytest.fixture
def changes(tmp_path) -> Changes:
    """Two runs with one of every difference."""
    write(tmp_path / "old", OLD)
    write(tmp_path / "new", NEW, Regrade(str(tmp_path / "old"), "2.1 was too strict"))
    return compare_runs(tmp_path / "old", tmp_path / "new")


def test_everybody_has_a_row_of_one_kind(changes):
    """Whoever is in either run, once."""
    assert {int(row.name[-2:]): row.kind for row in changes.rows} == KINDS
    assert sum(count for _, count in changes.counts) == len(KINDS) == len(changes.rows)
    assert changes.reasons == ("2.1 was too strict",)


def test_a_row_says_on_which_checks_and_by_how_much(changes):
    """Points of the score and of each check; what being late takes off; why there is no score."""
    rows = {int(row.name[-2:]): row for row in changes.rows}

    assert (rows[2].before.text, rows[2].after.text, rows[2].delta, rows[2].what) == ("50", "90", 40, "2.1 +40")
    assert (rows[4].delta, rows[4].what) == (-20, "1.1 \N{MINUS SIGN}20")
    assert (rows[3].delta, rows[3].what) == (0, "2.1 hint")
    assert rows[7].what == "1.1 \N{MINUS SIGN}40, 2.1 +40"
    assert (rows[5].before.text, rows[5].after.text, rows[5].delta) == ("refused", "90", None)
    assert (rows[8].before.text, rows[8].after.text) == ("refused", "not graded")
    assert (rows[10].after.text, rows[11].before.text) == ("not there", "not there")
    assert rows[12].what == "after being late 90 → 45"
    totals = {total.check.number: (total.gained, total.lost) for total in changes.totals}
    assert totals == {"1.1": (0, 2), "2.1": (2, 0)}


def test_new_and_missing_checks_and_points_that_staff_set_are_named(tmp_path):
    """A check that only one run has, one that another device ran, and what staff set, with the reason."""
    before, after = student(1, {}), student(1, {})
    after = replace(after, results=after.results[1:], overrides=(Override("", 60.0, 100.0, "seen", "staff01"),))
    other = student(2, {})
    ran = replace(other.results[3], cases=(case(),))
    write(tmp_path / "old", [before, other])
    write(tmp_path / "new", [after, replace(other, results=(*other.results[:3], ran))])

    one, two = sorted(compare_runs(tmp_path / "old", tmp_path / "new").rows, key=lambda row: row.name)

    assert one.what == "1.1 gone (40); set by staff: total: 60 instead of 50 (seen; staff01)"
    assert (one.delta, two.what, two.kind) == (-30, "2.2 new (10)", "score")


def test_the_reasons_are_those_between_the_two(tmp_path):
    """Of a chain of regrades, what came after the first; of two branches, those of the second."""
    first, second = Regrade("/a", "one"), Regrade("/b", "two")
    for name, regrades in {"a": (), "b": (first,), "c": (first, second), "d": (Regrade("/x", "else"),)}.items():
        write(tmp_path / name, OLD[:2], *regrades)

    def reasons(old: str, new: str) -> tuple[str, ...]:
        return compare_runs(tmp_path / old, tmp_path / new).reasons

    assert reasons("a", "c") == ("one", "two")
    assert reasons("b", "c") == ("two",)
    assert reasons("d", "c") == ("one", "two") and reasons("a", "a") == ()


def test_what_is_damaged_or_unfinished_has_a_row(tmp_path):
    """It is said so, and it is no 0."""
    write(tmp_path / "old", OLD[:3])
    write(tmp_path / "new", [OLD[0], replace(OLD[1], complete=False), OLD[2]])
    (tmp_path / "new" / "student03" / "graded.json").write_text("{")

    rows = {row.name: row for row in compare_runs(tmp_path / "old", tmp_path / "new").rows}

    assert (rows["student02"].kind, rows["student02"].after.text) == ("no-longer", "unfinished")
    assert (rows["student03"].kind, rows["student03"].after.text) == ("no-longer", "no record")


def test_runs_of_two_assignments_are_not_compared(tmp_path):
    """Nor a folder that holds none: a line."""
    write(tmp_path / "old", OLD[:2])
    write(tmp_path / "new", [graded("student01", [], assignment="other")], assignment="other")

    with pytest.raises(InputError, match="is a run of centre, and .* one of other"):
        compare_runs(tmp_path / "old", tmp_path / "new")
    with pytest.raises(InputError, match="holds no run"):
        compare_runs(tmp_path / "old", tmp_path)


def test_the_table_has_everybody_and_defuses_formulas(tmp_path, changes):
    """A row for each check that changed; numbers are numbers; no cell begins a formula."""
    found = pandas.read_csv(io.StringIO(table(changes)))
    assert set(found["submission"].str[-2:].astype(int)) == set(KINDS)
    assert found["points_change"].dropna().tolist() == [40, -20, -40, 40, 0]
    assert found["change"].min() == -20 and found["reason"].isna().sum() == 2  # of those that are unchanged

    name = "=cmd()"
    evil = replace(student(1, {}), submission=name)
    given = replace(evil, overrides=(Override("", 9.0, 100.0, "=1+1", "@staff"),))
    write(tmp_path / "e1", [evil])
    write(tmp_path / "e2", [given], Regrade("/x", "-2+3"))
    cells = [
        cell for row in csv.reader(io.StringIO(table(compare_runs(tmp_path / "e1", tmp_path / "e2")))) for cell in row
    ]
    assert "'=cmd()" in cells and "'-2+3" in cells and "-81" in cells
    assert not [cell for cell in cells if cell[:1] in "=@+" and cell]


@pytest.mark.parametrize("same", [False, True])
def test_the_page_says_it_all(changes, tmp_path, same):
    """Every submission, the reason, the counts; two equal runs have a page too."""
    if same:
        changes = compare_runs(tmp_path / "old", tmp_path / "old")

    words = Text(render_changes(changes, "Centering")).words

    assert "Changes: Centering" in words
    assert all(row.name in words for row in changes.rows)
    if not same:
        assert "Reason: 2.1 was too strict" in words and "1.1 \N{MINUS SIGN}40, 2.1 +40" in words


@pytest.fixture
def page(tmp_path) -> Path:
    """The page of two runs with hostile texts in them."""
    evil = Override("", 1.0, 100.0, HOSTILE, HOSTILE)
    write(tmp_path / "old", [*OLD, student(20, {"2.1": [WRONG]})])
    changed = replace(student(20, {"2.1": [replace(DOUBLED, hint=HOSTILE)]}), overrides=(evil,))
    write(tmp_path / "new", [*NEW, changed], Regrade("/x", HOSTILE))
    path = tmp_path / "diff.html"
    path.write_text(render_changes(compare_runs(tmp_path / "old", tmp_path / "new"), HOSTILE), encoding="utf-8")
    return path


@pytest.mark.skipif(find_chromium() is None, reason="not run: no Chromium is installed here")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [420, 1280])
def test_the_page_is_usable_by_everybody(browser, page, dark, width):
    """No violation of WCAG; nothing is loaded, nothing hostile runs, and no page scrolls sideways."""
    browser.open(page, dark=dark, width=width)

    assert browser.addresses() == [page.as_uri()] and browser.complaints() == []
    assert browser.run("typeof window.hacked") == "undefined"
    assert browser.run("document.scrollingElement.scrollWidth") <= width
    assert violations(browser) == []


@pytest.mark.skipif(find_chromium() is None, reason="not run: no Chromium is installed here")
def test_the_report_with_what_staff_set_is_usable_by_everybody(browser, tmp_path):
    """The class's page and a student's."""
    given = Override("hidden:second", 20.0, 40.0, "seen", "staff01")
    one = student(1, {"2.1": [WRONG]})
    one = replace(one, results=tuple(replace(r, given=given) if r.check.id == given.of else r for r in one.results))
    two = replace(refused("student02"), overrides=(Override("", 50.0, 100.0, "on paper", "staff01"),))
    write_run(tmp_path / "run", [one, two, *class_zoo.zoo()[2:]])
    write_report(tmp_path / "run", tmp_path / "report")
    for path in ("index.html", "students/student01.html", "students/student02.html"):
        browser.open(tmp_path / "report" / path)
        assert violations(browser) == [], path


def test_the_command_prints_a_table_and_writes_two_files(gradkit, changes, tmp_path):
    """The reason first, whoever changed, then the counts; bad usage is a line and writes nothing."""
    old, new = tmp_path / "old", tmp_path / "new"

    done = gradkit("diff", old, new, "--out", tmp_path / "d.csv", "--page", tmp_path / "d.html", cwd=tmp_path)

    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert lines[0] == "reason: 2.1 was too strict"
    assert any(line.split() == ["student02", "50", "90", "+40", "2.1", "+40"] for line in lines)
    assert "another score: 3; graded now, and not before: 1; not graded any more: 1" in done.stdout
    assert not any(line.startswith("student01 ") for line in lines)
    assert (tmp_path / "d.csv").read_text(encoding="utf-8") == table(changes)
    assert "Changes: centre" in (tmp_path / "d.html").read_text(encoding="utf-8")

    shutil.rmtree(new / "student02")
    (tmp_path / "file").write_text("")
    for arguments, said in (
        ((old, tmp_path / "nothing"), "holds no run"),
        ((old, new, "--out", tmp_path / "no" / "x.csv"), "there is no folder"),
        ((old, new, "--page", tmp_path / "file" / "x.html"), "there is no folder"),
    ):
        bad = gradkit("diff", *arguments, cwd=tmp_path)
        assert bad.returncode == 2 and said in bad.stderr and "Traceback" not in bad.stderr
    assert results.read(new / "student02") is None
    lost = gradkit("diff", old, new, cwd=tmp_path)
    assert "student02" in lost.stdout and "no record" in lost.stdout  # a row of grades.csv without a folder
