"""Pairs that are alike: in the class's page and side by side, for staff, and nowhere that a student looks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe import violations
from browser import find_chromium

from gradkit.manifest import load_assignment

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = '\nNOTE = "</mark></pre><script>document.title = 1</script>"\n'


@pytest.fixture(scope="module")
def report(gradkit, tmp_path_factory):
    """Of three students: two share what neither has from the kit, and one wrote her own; one of the two handed in twice."""
    folder = tmp_path_factory.mktemp("alike")
    assignment = load_assignment(ROOT, "bpe")
    own = assignment.reference.read_text(encoding="utf-8")
    shared = re.sub(r"\bids\b", "the_ids", (ROOT / "shared" / "coursekit" / "data.py").read_text(encoding="utf-8"))
    (folder / "in").mkdir()
    texts = {
        "one_101_1_bpe.py": own + shared + HOSTILE,
        "two_102_2_bpe.py": own + "\n# mine\n" + re.sub(r"\brng\b", "generator", shared),
        "three_103_3_bpe.py": own + "\nTHREE = 3\n",
    }
    for name, text in texts.items():
        (folder / "in" / name).write_text(text, encoding="utf-8")
    grade = gradkit("grade", "bpe", folder / "in", "--out", folder / "out", "--line-seconds", 0)
    assert grade.returncode == 0, grade.stderr
    made = gradkit("report", folder / "out", "--compare", folder / "in")
    assert made.returncode == 0, made.stderr
    return folder / "out" / "report"


def test_the_pair_is_listed_and_marked(report):
    """With a link to both texts; hostile text is text, and the third student is in no pair."""
    index = (report / "index.html").read_text(encoding="utf-8")
    (page,) = (report / "pairs").iterdir()
    pair = page.read_text(encoding="utf-8")

    assert 'href="pairs/1.html"' in index and "one_101" in pair and "two_102" in pair and "three_103" not in pair
    assert pair.count("<mark>") >= 2 and "<script" not in pair and "&lt;/mark&gt;" in pair
    marked = " ".join(re.findall(r"<mark>(.*?)</mark>", pair, re.DOTALL))
    assert "def two_moons" in marked and "THREE" not in marked
    assert re.search(r"\u22ef \d+ lines that are not shared", pair)


def test_a_students_page_says_nothing_of_it(report):
    """Nor does what a platform gets."""
    for path in [*(report / "students").iterdir(), *report.parent.glob("*/results.json")]:
        text = path.read_text(encoding="utf-8")
        assert "alike" not in text and "pairs/" not in text


def test_a_run_that_was_not_compared_says_how(gradkit, report):
    """The section is there, with the command."""
    made = gradkit("report", report.parent)

    assert made.returncode == 0
    assert "--compare SUBMISSIONS" in (report / "index.html").read_text(encoding="utf-8")
    assert not (report / "pairs").exists()
    assert gradkit("report", report.parent, "--compare", report.parent.parent / "in").returncode == 0


@pytest.mark.skipif(find_chromium() is None, reason="not run: no Chromium is installed here")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (420, False), (1280, True)])
def test_the_side_by_side_page_is_accessible(browser, report, width, dark):
    """At both widths and in both schemes; nothing is wider than the screen."""
    browser.open(report / "pairs" / "1.html", width=width, dark=dark)

    assert violations(browser) == []
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
