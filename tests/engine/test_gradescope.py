"""Gradescope's container: its layout and metadata in, its results.json out, and a score only when there is one."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys
import zipfile

import msgspec
import pytest

from gradkit.errors import InputError
from gradkit.gradescope import (
    Attempts,
    Metadata,
    Settings,
    check_settings,
    duration,
    load_settings,
    read_metadata,
    standing,
)
from gradkit.stubs import build_stub

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)

# The fields that Gradescope documents, with what a course does not set as null.
METADATA = {
    "id": 123456,
    "created_at": "2026-03-01T04:00:00.365935-08:00",
    "assignment": {
        "due_date": "2026-03-01T00:48:00.000000-08:00",
        "group_size": None,
        "group_submission": False,
        "id": 25828,
        "course_id": 1234,
        "late_due_date": None,
        "release_date": "2026-02-01T00:00:00.000000-08:00",
        "title": "Scaling",
        "total_points": "100.0",
    },
    "submission_method": "upload",
    "users": [{"email": "student01@example.edu", "id": 1234, "name": "student01"}],
    "previous_submissions": [],
}

TOP_LEVEL = {
    "score", "execution_time", "output", "output_format", "test_output_format", "test_name_format", "visibility",
    "stdout_visibility", "extra_data", "tests", "leaderboard",
}  # fmt: skip
PER_TEST = {
    "score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags", "visibility",
    "extra_data",
}  # fmt: skip


def attempt(hours_ago: float, score: object = 10.0, *, failed: bool = False) -> dict:
    time = NOON - datetime.timedelta(hours=hours_ago)
    return {"submission_time": time.isoformat(), "score": score, "autograder_error": failed, "results": {}}


def metadata(*previous: dict, **changes: object) -> Metadata:
    text = json.dumps({**METADATA, "previous_submissions": list(previous), **changes})
    return msgspec.json.decode(text, type=Metadata)


class TestStanding:
    def test_without_a_limit_every_attempt_is_graded(self):
        """Nothing is remembered, and no earlier score counts."""
        now = standing(metadata(*[attempt(hour) for hour in range(1, 9)]), None)

        assert now.next_at is None and now.best is None

    def test_the_attempt_after_the_last_allowed_one_waits(self):
        """Two within a day: the third may come a day after the first of them."""
        now = standing(metadata(attempt(20, 40), attempt(2, 60)), Attempts(2))

        assert now.next_at == NOON.replace(microsecond=365935) - datetime.timedelta(
            hours=20, microseconds=365935
        ) + datetime.timedelta(hours=24)
        assert now.best == 60

    def test_a_window_that_has_passed_is_forgotten(self):
        """Attempts of yesterday don't count, their scores do."""
        now = standing(metadata(attempt(30, 80), attempt(25, 20)), Attempts(2))

        assert now.next_at is None and now.best == 80

    def test_an_autograder_error_never_counts(self):
        """Neither as an attempt nor as a score."""
        failed = [attempt(hour, None, failed=True) for hour in (3, 2, 1)]

        assert standing(metadata(*failed), Attempts(1)).next_at is None

    def test_an_attempt_that_was_put_off_does_not_put_off_the_next(self):
        """One a day: the second came too soon and was not graded, so a day after the first the third is."""
        now = standing(metadata(attempt(25, 50), attempt(13, 50)), Attempts(1))

        assert now.next_at is None

    def test_scores_come_as_numbers_or_text(self):
        """Gradescope writes both; what is neither is no score."""
        now = standing(metadata(attempt(9, "31.5"), attempt(8, 30), attempt(7, None)), Attempts(5))

        assert now.best == 31.5

    def test_lateness_is_counted_from_the_students_own_due_date(self):
        """An extension replaces the class's date."""
        own = {"assignment": {"due_date": "2026-03-02T00:00:00-08:00"}}

        assert duration(standing(metadata(), None).late_s) == "3 h 12 min"
        assert standing(metadata(users=[own]), None).late_s == 0

    def test_no_due_date_is_never_late(self):
        """A course may have none."""
        assert standing(metadata(assignment={"due_date": None}), None).late_s == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (86_700, "1 d 5 min"), (90_061, "1 d 1 h")],
)
def test_durations_read_well(seconds, words):
    """The two largest units that are not 0."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not json", "malformed"),
        ('{"created_at": "yesterday"}', "created_at"),
        ('{"previous_submissions": 3}', "previous_submissions"),
    ],
)
def test_unreadable_metadata_is_told_in_a_line(tmp_path, text, complaint):
    """It is as good as none, and the line names the field."""
    (tmp_path / "m.json").write_text(text, encoding="utf-8")

    empty, problem = read_metadata(tmp_path / "m.json")

    assert empty == Metadata() and complaint in problem and "\n" not in problem


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (Settings(deadline_s=0), "deadline_s"),
        (Settings(attempts=Attempts(0)), "attempts.limit"),
        (Settings(attempts=Attempts(1, -1.0)), "attempts.window_hours"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, complaint):
    """Before a class is graded with them."""
    with pytest.raises(InputError, match=complaint):
        check_settings(settings, "here")


def test_an_unknown_setting_is_refused(tmp_path):
    """A misspelt limit would otherwise be no limit."""
    (tmp_path / "s.json").write_text('{"atempts": {"limit": 2}}', encoding="utf-8")

    with pytest.raises(InputError, match="atempts"):
        load_settings(tmp_path / "s.json")


@pytest.fixture
def container(tmp_path):
    """Gradescope's folder, as it stands before run_autograder."""
    base = tmp_path / "autograder"
    for name in ("source", "submission", "results"):
        (base / name).mkdir(parents=True)
    (base / "submission_metadata.json").write_text(json.dumps(METADATA), encoding="utf-8")
    return base


@pytest.fixture
def run(gradkit, small_kit, container, sandboxed):
    """run_autograder's command on that folder, and the results.json it leaves."""

    def grade(source: str | None, settings: dict | None = None, *, root=small_kit):
        if source is not None:
            (container / "submission" / "scaling.py").write_text(source, encoding="utf-8")
        (container / "source" / "gradescope.json").write_text(json.dumps(settings or {}), encoding="utf-8")
        done = gradkit("gradescope", "--base", container, "--root", root)
        path = container / "results" / "results.json"
        return done, json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    return grade


def test_the_reference_gets_full_marks_in_documented_fields(run, container, reference_source):
    """Everything in results.json is a field that Gradescope documents; nothing else is written; secrets are closed."""
    done, results = run(reference_source)

    assert done.returncode == 0, done.stderr
    assert results["score"] == 100 and results["extra_data"]["status"] == "graded"
    assert set(results) <= TOP_LEVEL and all(set(test) <= PER_TEST for test in results["tests"])
    assert "Handed in 3 h 12 min after the due date." in results["output"]
    assert [path.name for path in (container / "results").iterdir()] == ["results.json"]
    assert (container / "source").stat().st_mode & 0o077 == 0


def test_the_stub_gets_nothing(run, scaling):
    """Nothing is written yet."""
    done, results = run(build_stub(scaling))

    assert done.returncode == 0 and results["score"] == 0


def test_a_missing_file_is_named(run):
    """Whoever handed in the wrong file reads which one was wanted."""
    done, results = run(None)

    assert done.returncode == 0 and results["score"] == 0
    assert "scaling.py" in results["output"]


def test_an_attempt_too_soon_keeps_the_best_score(run, container, reference_source):
    """It is not graded, says when the next one is, and costs nothing."""
    previous = [attempt(3, 45), attempt(1, 30)]
    (container / "submission_metadata.json").write_text(
        json.dumps({**METADATA, "previous_submissions": previous}), encoding="utf-8"
    )

    done, results = run(reference_source, {"attempts": {"limit": 2, "window_hours": 24}})

    assert done.returncode == 0 and results["score"] == 45
    assert "2026-03-02 09:00 UTC" in results["output"]


def test_the_best_attempt_counts(run, container, scaling):
    """A worse attempt says what it got, and that the earlier one stands."""
    (container / "submission_metadata.json").write_text(
        json.dumps({**METADATA, "previous_submissions": [attempt(3, 45)]}), encoding="utf-8"
    )

    _, results = run(build_stub(scaling), {"attempts": {"limit": 2}})

    assert results["score"] == 45
    assert "0 of 100 points" in results["output"] and "has 45" in results["output"]


def test_a_limit_without_metadata_gives_no_score(run, container, reference_source):
    """Whether this attempt is one too many can't be known, so staff are told."""
    (container / "submission_metadata.json").unlink()

    done, results = run(reference_source, {"attempts": {"limit": 2}})

    assert done.returncode == 1 and results is None and "submission_metadata.json is missing" in done.stderr


def test_past_the_deadline_what_was_graded_stands(run, small_kit, tmp_path, reference_source):
    """The quick task's checks come first here; those without a result are counted out loud."""
    root = tmp_path / "long"
    shutil.copytree(small_kit, root)
    hidden = root / "solutions" / "scaling" / "test_hidden.py"
    text, function = hidden.read_text(encoding="utf-8"), "def test_population_variance(agree, rng"
    many = f'@pytest.mark.parametrize("n", range(60))\n{function}, n'
    hidden.write_text(text.replace(function, many), encoding="utf-8")
    manifest = root / "assignments" / "scaling" / "assignment.toml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("timeout_s = 1\n", "timeout_s = 3\n"), encoding="utf-8")
    slow = f"{reference_source}\n\nimport time\n\n\ndef standardise(x, *, eps=1e-5):\n    time.sleep(0.5)\n"

    done, results = run(slow, {"deadline_s": 8.0}, root=root)

    assert done.returncode == 0, done.stderr
    assert "Grading was stopped after 8 s" in results["output"]
    assert not results["extra_data"]["complete"] and 0 < results["score"] < 100


def test_a_grader_error_leaves_no_score(run, small_kit, tmp_path, reference_source):
    """A check that fails on the reference is our fault: Gradescope must report a failed autograder, not a number."""
    root = tmp_path / "broken"
    shutil.copytree(small_kit, root)
    hidden = root / "solutions" / "scaling" / "test_hidden.py"
    text = hidden.read_text(encoding="utf-8")
    first = text.index("    agree(")
    hidden.write_text(f"{text[:first]}    assert False\n{text[first:]}", encoding="utf-8")

    done, results = run(reference_source, root=root)

    assert done.returncode == 1 and results is None
    assert "no score is recorded" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda base: shutil.rmtree(base / "submission"), "submission is missing"),
        (lambda base: (shutil.rmtree(base / "results"), (base / "results").write_text("")), "results"),
        (
            lambda base: (base / "source" / "gradescope.json").write_text('{"assignment": "scalling"}'),
            "did you mean 'scaling'",
        ),
    ],
)
def test_a_container_that_is_not_gradescopes_is_told_in_a_line(gradkit, small_kit, container, spoil, complaint):
    """Usage errors: exit code 2, one line."""
    spoil(container)

    done = gradkit("gradescope", "--base", container, "--root", small_kit)

    assert done.returncode == 2 and complaint in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def zipped(gradkit, small_kit, tmp_path_factory):
    """The zip for Gradescope, unpacked."""
    folder = tmp_path_factory.mktemp("zip")
    done = gradkit(
        "bundle", "gradescope", "scaling", "--out", folder / "a.zip", "--root", small_kit,
        "--torch-index", "/wheels of ours", "--attempts", "3", "--window-hours", "12",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shutil.unpack_archive(folder / "a.zip", folder / "source")
    return folder


def test_the_zip_has_what_gradescope_wants_at_its_root(zipped):
    """setup.sh and run_autograder, both executable, and the settings asked for."""
    with zipfile.ZipFile(zipped / "a.zip") as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    settings = load_settings(zipped / "source" / "gradescope.json")

    assert modes["setup.sh"] & 0o111 and modes["run_autograder"] & 0o111
    assert settings == Settings("scaling", 540.0, Attempts(3, 12.0))


def test_the_zip_holds_one_assignment_and_no_tests_of_ours(zipped):
    """Both sides of the assignment, the engine, and nothing else."""
    names = {path.relative_to(zipped / "source").parts[0] for path in (zipped / "source").rglob("*")}
    kit = {path.name for path in (zipped / "source" / "kit").iterdir()}

    assert names == {
        "setup.sh",
        "run_autograder",
        "requirements.txt",
        "constraints.txt",
        "gradescope.json",
        "kit",
    }
    assert kit == {"assignments", "solutions", "autograder", "shared"}
    assert [path.name for path in (zipped / "source" / "kit" / "solutions").iterdir()] == ["scaling"]


@pytest.mark.parametrize("script", ["setup.sh", "run_autograder"])
def test_its_scripts_parse(zipped, script):
    """By the shell that Gradescope runs them with, and with the index quoted."""
    subprocess.run(["sh", "-n", script], cwd=zipped / "source", check=True)

    if script == "setup.sh":
        assert "'/wheels of ours'" in (zipped / "source" / script).read_text(encoding="utf-8")


def test_the_unpacked_zip_grades(zipped, container, gradkit, reference_source, sandboxed):
    """The kit inside it is whole: graded with nothing but its own files on the path."""
    (container / "submission" / "scaling.py").write_text(reference_source, encoding="utf-8")
    shutil.copy(zipped / "source" / "gradescope.json", container / "source")
    kit = zipped / "source" / "kit"
    script = (
        f"import sys; sys.path[:0] = [{str(kit / 'autograder')!r}, {str(kit / 'shared')!r}]; "
        "import gradkit.cli; assert gradkit.__file__.startswith(sys.path[0]); gradkit.cli.main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, "gradescope", "--base", str(container)],
        cwd=kit,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads((container / "results" / "results.json").read_text(encoding="utf-8"))["score"] == 100
