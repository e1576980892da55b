"""A week as an instructor lives it, by the commands alone: nobody is lost on the way, and the numbers are right at its end."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import week as journey  # noqa: E402

pytestmark = pytest.mark.usefixtures("sandboxed")


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    """The week, and what its commands printed."""
    with journey.new_week(tmp_path_factory.mktemp("week") / "course", say=lambda text: None) as lived:
        yield lived, journey.live(lived)


def read(path: Path) -> pandas.DataFrame:
    return pandas.read_csv(path, dtype=str, keep_default_na=False)


def test_the_first_run_names_whoever_has_no_score(week):
    """Refused, and nothing handed in; the late ones with what it costs."""
    said = week[1]["grade"]

    assert "Student Seven is left blank: refused: scaling.py: is an image" in said
    assert "Student Nine is left blank: nothing was handed in" in said
    assert "submission_2 is 20 min late: nothing is taken off" in said
    assert "submission_4 is 1 d 20 h late: 20% is taken off, 60 becomes 48" in said


def test_mending_a_check_changes_whom_it_concerns(week):
    """One student gains; the others are kept or have that check run again; the reason goes with it."""
    lived, said = week
    before, after = lived.table("grades"), lived.table("regraded")

    assert float(before["submission_2"]["score"]) + 30 == float(after["submission_2"]["score"]) == 90
    assert "4 with the changed checks run again" in said["regrade"]
    changes = read(lived.folder / "diff.csv")
    changed = changes[changes["change"].astype(str).str.strip().isin(["30", "+30"])]
    assert set(changed["submission"]) == {"submission_2"} and len(set(changes["submission"])) == 8
    assert "1.1 was too strict" in (lived.folder / "diff.html").read_text(encoding="utf-8")


def test_points_by_hand_come_before_what_is_late(week):
    """A file that could not be read gets a total; a task's points are set, and then the day late is taken off."""
    rows = week[0].table("regraded")

    assert rows["submission_7"]["score"] == "60" and rows["submission_7"]["final"] == "30"
    assert (
        rows["submission_4"]["score"] == "45" and rows["submission_4"]["final"] == "18"
    )  # 45 of 100, 20% off, out of 50
    assert "explained it in person" in rows["submission_4"]["overrides"]
    page = (week[0].folder / "regraded" / "report" / "students" / "submission_4.html").read_text(encoding="utf-8")
    assert "explained it in person" in page and "staff01" not in page and "20% is taken off" in page


def test_every_student_of_the_roster_is_in_every_table(week):
    """Read back by pandas: commas, a formula, namesakes, a missing number, and the one who handed in nothing."""
    folder = week[0].folder
    canvas, grades = read(folder / "regraded" / "canvas.csv"), read(folder / "regraded" / "grades.csv")
    totals, index = read(folder / "totals.csv"), read(folder / "feedback" / "index.csv")

    final = dict(zip(canvas["SIS Login ID"], canvas.iloc[:, -1], strict=True))
    assert {address: final[f"student{address:02}@example.edu"] for address in range(1, 10)} == {
        1: "50", 2: "45", 3: "50", 4: "18", 5: "50", 6: "50", 7: "30", 8: "0", 9: "",
    }  # fmt: skip
    assert len(grades) == len(totals) == len(index) == 9
    assert totals["total"].tolist().count("0") == 2  # what does not parse, and what was not handed in
    assert sum(name.startswith("'=HYPERLINK") for name in totals["name"]) == 1
    assert "Student Two, Jr" in totals["name"].tolist()
    assert (totals["name"] == "Student Same").sum() == 2
    files = [Path(name).name for name in index["file"] if name]
    assert len(files) == len(set(files)) == 8
    assert all((folder / "feedback" / name).is_file() for name in index["file"] if name)


def test_the_copy_is_shown_to_staff_and_to_nobody_else(week):
    """The pair that renamed everything, and no other."""
    report = week[0].folder / "regraded" / "report"
    (pair,) = (report / "pairs").iterdir()
    text = pair.read_text(encoding="utf-8")

    assert "submission_5" in text and "submission_6" in text
    for path in [*(report / "students").iterdir(), *(week[0].folder / "feedback").rglob("*.*")]:
        assert b"pairs/" not in path.read_bytes()
