"""The report says what the run's records say, whatever is in them, and to each student only what that student sees."""

from __future__ import annotations

import re
import shutil
import urllib.parse
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from class_zoo import HOSTILE, case, check, graded, student, write_run
from reading import Text, report, student_page

from gradkit import results
from gradkit.errors import InputError
from gradkit.model import Outcome
from gradkit.report.data import read_run
from gradkit.report.pages import page_of, write_report
from gradkit.report.summary import summarize


def test_the_class_stands_with_its_figures(zoo):
    """Scores, rates, misconceptions with hint and names, incidents, flags, refusals and isolation are all there."""
    words = report(zoo).words

    assert "11 submissions, 8 in the figures" in words
    assert "student09 refused no centre.py in it" in words
    assert "student10 not graded the reference fails too" in words
    assert "student11 unfinished" in words
    assert "doubled 2 of 8 submissions (25 %), in check 1.1 Your output is twice as large." in words
    assert "time limit 2.1 second no answer within 3 s 1 student07" in words
    assert "crashed 1.1 first; 1.2 easy; 2.1 second the program crashed (SIGSEGV) 1 student08" in words
    assert "centre.py:4 uses torch.softmax, which this assignment asks you to write yourself" in words
    assert "Isolation: separate-user, Landlock ABI 7, system-call filter." in words


def test_rates_and_difficulties_are_those_of_the_points(zoo):
    """Check 1.1: five of eight have all its points; one of eight half. Check 2.2 ran nowhere."""
    rows = {row.check.number: row for row in summarize(read_run(zoo)).checks}

    assert rows["1.1"].item.pass_rate == 3 / 8
    assert rows["1.1"].item.difficulty == pytest.approx(1 - 3.5 / 8)
    assert [count for _, count in rows["1.1"].marked.parts] == [3, 1, 3, 1]
    assert (rows["2.2"].item.ran, rows["2.2"].item.undefined) == (
        0,
        "fewer than 3 submissions with other checks beside",
    )


def test_hostile_names_and_texts_are_text(tmp_path):
    """Markup, quotes, control characters and bidirectional overrides from a submission make no element and no attribute."""
    name = "<b onclick=alert(1)>'\"&lt;{{7*7}} #é"
    ours = graded(
        name,
        [
            ("1.1", case(Outcome.FAILED, HOSTILE, hint=HOSTILE, mistake=HOSTILE, detail=HOSTILE)),
            ("2.1", case(Outcome.CRASHED, HOSTILE)),
        ],
        flags=(HOSTILE,),
        notes=(HOSTILE,),
    )
    refused = graded("<script>alert(2)<!--", [], status="refused", reason=HOSTILE)
    write_run(tmp_path, [ours, refused], submitters=HOSTILE)
    plain = tmp_path / "plain"
    write_run(
        plain,
        [
            graded(
                "a",
                [
                    ("1.1", case(Outcome.FAILED, "b", hint="c", mistake="d", detail="e")),
                    ("2.1", case(Outcome.CRASHED, "f")),
                ],
                flags=("g",),
                notes=("h",),
            ),
            graded("i", [], status="refused", reason="j"),
        ],
        submitters="k",
    )

    index = report(tmp_path)
    page = student_page(tmp_path, name)

    # The same elements as for tame texts, with the same attributes.
    tame = report(plain)
    assert [(tag, sorted(attributes)) for tag, attributes in index.elements] == [
        (tag, sorted(attributes)) for tag, attributes in tame.elements
    ]
    tame = student_page(plain, "a")
    assert [(tag, sorted(attributes)) for tag, attributes in page.elements] == [
        (tag, sorted(attributes)) for tag, attributes in tame.elements
    ]
    assert "<script>window.hacked = 1</script>" in index.words and "<script>window.hacked = 1</script>" in page.words
    for text in (index.words, page.words):
        assert not re.search(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    links = [attributes["href"] for tag, attributes in index.elements if tag == "a"]
    pages = {link for link in links if not link.startswith("#")}
    assert len(pages) == 2 and all(re.fullmatch(r"students/[A-Za-z0-9%._~-]+\.html", link) for link in pages)
    assert all((tmp_path / "report" / urllib.parse.unquote(link)).is_file() for link in pages)


def test_pages_are_whole_html_with_a_policy(zoo):
    """Nothing is loaded; every style and script is one that the policy knows by its hash; no handlers."""
    report(zoo)

    for path in (zoo / "report").rglob("*.html"):
        page = Text(path.read_text(encoding="utf-8"))
        policies = [a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
        assert len(policies) == 1 and policies[0].startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policies[0]
        for tag, attributes in page.elements:
            assert not {"src", "style", "action", "srcset"} & set(attributes), (path, tag)
            assert not any(name.startswith("on") for name in attributes)
            assert tag not in ("link", "iframe", "object", "embed", "base", "form", "img")
    charts = re.findall(r"<svg.*?</svg>", (zoo / "report" / "index.html").read_text(encoding="utf-8"), re.S)
    assert all(ElementTree.fromstring(chart).get("role") == "img" for chart in charts) and len(charts) > 5


def test_one_submission_is_a_class(tmp_path):
    """No spread, no quartiles, no correlation: n/a, and no error."""
    write_run(tmp_path, [student(1, {})])

    words = report(tmp_path).words

    assert "1 submission, 1 in the figures" in words and "100 %" in words and "n/a" in words


def test_a_class_without_a_graded_submission_still_says_why(tmp_path):
    """All refused: the reasons stand there, and no figure is made up."""
    write_run(tmp_path, [graded("student01", [], status="refused", reason="not a zip")])

    words = report(tmp_path).words

    assert "not a zip" in words and "No submission was graded to the end." in words


def test_damaged_missing_and_left_over_records_are_named(tmp_path):
    """A record that can't be read is a submission that stands in no figure; so is one that grades.csv does not know."""
    write_run(tmp_path, [student(number, {}) for number in (1, 2, 3)])
    (tmp_path / "student02" / "graded.json").write_text('{"submission": "stu', encoding="utf-8")
    (tmp_path / "student03" / "graded.json").unlink()
    results.write(student(4, {}), _folder(tmp_path / "student04"))

    troubles = {trouble.entry.name: trouble.status for trouble in summarize(read_run(tmp_path)).troubles}

    assert troubles == {"student02": "no record", "student03": "no record", "student04": "left over"}
    assert "student02 no record" in report(tmp_path).words


def test_a_run_that_was_killed_has_a_report(tmp_path):
    """Without grades.csv every folder with a record counts, and the page says what is missing."""
    write_run(tmp_path, [student(number, {}) for number in (1, 2)])
    (tmp_path / "grades.csv").unlink()

    assert "grades.csv is missing" in report(tmp_path).words
    assert len(read_run(tmp_path).counted) == 2


def test_names_that_the_table_guards_are_found_again(tmp_path):
    """A name that a spreadsheet would take for a formula is the same submission in grades.csv and on disk."""
    write_run(tmp_path, [graded("=1+1", [("1.1", case())])], submitters="@a")

    (entry,) = read_run(tmp_path).entries

    assert entry.listed and entry.counts and page_of(entry) == "students/%3D1%2B1.html"


def test_a_report_is_replaced_whole(zoo):
    """A second report leaves no page of the first behind, and nothing else beside."""
    report(zoo)
    shutil.copy(zoo / "report" / "index.html", zoo / "report" / "students" / "gone.html")

    report(zoo)

    assert not (zoo / "report" / "students" / "gone.html").exists()
    assert not [path for path in zoo.iterdir() if path.name.startswith(".")]


def test_what_is_no_page_of_a_report_is_never_replaced(zoo):
    """A page of another tool's, or a note that somebody put beside the pages, is named, and all is left as it was."""
    report(zoo)
    note = zoo / "report" / "students" / "note.html"
    note.write_text("<title>mine</title>", encoding="utf-8")
    before = {path: path.read_bytes() for path in (zoo / "report").rglob("*.html")}

    with pytest.raises(InputError, match=r"students/note.html is not part of a report: choose another --out"):
        write_report(zoo, zoo / "report")

    assert {path: path.read_bytes() for path in (zoo / "report").rglob("*.html")} == before


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "no such folder"),
        ("file", "no such folder"),
        ("empty", "no graded submissions here"),
        ("table", "not a table that gradkit grade wrote"),
        ("occupied", "is not a report: choose another --out"),
    ],
)
def test_what_is_no_run_is_one_line_and_nothing_is_written(tmp_path, kind, said):
    """Bad input is named, with what to do, and nothing is left half-written or removed."""
    run, out = tmp_path / "run", tmp_path / "out"
    if kind == "file":
        run.write_text("", encoding="utf-8")
    elif kind != "missing":
        run.mkdir()
    if kind in ("table", "occupied"):
        write_run(run, [student(1, {})])
    if kind == "table":
        (run / "grades.csv").write_bytes(b"\xff\xfe no table")
    if kind == "occupied":
        out.mkdir()
        (out / "thesis.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(InputError, match=said) as raised:
        write_report(run, out)

    assert "\n" not in str(raised.value)
    assert sorted(path.name for path in out.rglob("*")) == (["thesis.txt"] if kind == "occupied" else [])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_results_of_two_assignments_are_not_mixed(tmp_path):
    """One report, one assignment."""
    write_run(tmp_path, [student(1, {}), graded("student02", [("1.1", case())], assignment="other")])

    with pytest.raises(InputError, match=r"several assignments \(centre, other\)"):
        read_run(tmp_path)


@pytest.mark.usefixtures("sandboxed")
def test_a_graded_class_is_reported_from_the_command_line(gradkit, small_kit, reference_source, tmp_path):
    """From submissions to pages: grade, then report; titles come from the kit where it is at hand."""
    right = tmp_path / "student01.py"
    wrong = tmp_path / "student02.py"
    right.write_text(reference_source, encoding="utf-8")
    wrong.write_text(reference_source.replace("x.mean(axis=0)", "x.mean(axis=1, keepdims=True)"), encoding="utf-8")
    run = tmp_path / "run"
    assert gradkit("grade", "scaling", right, wrong, "--out", run, "--root", small_kit).returncode == 0

    done = gradkit("report", run, "--root", small_kit)
    away = gradkit("report", run, "--out", tmp_path / "away", cwd=tmp_path)
    nothing = gradkit("report", tmp_path / "nothing")

    assert done.returncode == 0, done.stderr
    assert "2 in the figures, 0 not" in done.stdout
    words = Text((run / "report" / "index.html").read_text(encoding="utf-8")).words
    assert "Class report: Centre and scale features" in words and "Scale each feature to unit variance" in words
    assert "centre_over_examples" in words
    assert nothing.returncode == 2 and "no such folder" in nothing.stderr and "Traceback" not in nothing.stderr
    assert away.returncode == 0 and (tmp_path / "away" / "students" / "student02.html").is_file()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_checks_of_the_zoo_are_what_the_tests_say():
    """Three checks that run and one that needs a device."""
    assert [check(number).points for number in ("1.1", "1.2", "2.1", "2.2")] == [40, 10, 40, 10]
