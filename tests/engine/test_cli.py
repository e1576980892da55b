"""Bad input gets one clear line and a non-zero exit, and loses nothing else."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from gradkit import results
from gradkit.stubs import build_stub


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def one_line(done: subprocess.CompletedProcess, *parts: str) -> None:
    """The last line of what was said is the message, without a traceback."""
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    assert "Traceback" not in done.stderr + done.stdout
    for part in parts:
        assert part in said[-1], said


def rows(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "grades.csv", encoding="utf-8", newline="") as file:
        return {row["submission"]: row for row in csv.DictReader(file)}


def test_list_shows_every_assignment(gradkit, kit):
    """A row per assignment, points and all."""
    done = gradkit("list", "--root", kit)

    assert done.returncode == 0 and "scaling" in done.stdout and "100" in done.stdout


@pytest.mark.usefixtures("sandboxed")
def test_an_unknown_assignment_gets_the_nearest_name(gradkit, kit, write):
    """A typing error in the id is answered with what was probably meant."""
    done = gradkit("grade", "scalling", write("a.py", ""), "--out", kit / "out", "--root", kit)

    assert done.returncode == 2
    one_line(done, "'scalling'", "did you mean 'scaling'?")


@pytest.mark.usefixtures("sandboxed")
def test_every_kind_of_bad_submission_is_a_row_and_the_rest_is_graded(gradkit, kit, write, reference_source, tmp_path):
    """Refusals stand in the table with their reason; a good submission beside them gets its marks."""
    good = write("good.py", reference_source)
    syntax = write("syntax.py", reference_source.replace("def centre", "def def centre"))
    missing = write("missing/readme.txt", "nothing")
    misnamed = write("misnamed/scalign.py", reference_source)
    corrupt = write("corrupt.zip", b"PK\x03\x04 not really")
    notebook = write("broken.ipynb", "{")
    needs = write("needs.py", "import pandas_that_is_not_there\n" + reference_source)
    slip = tmp_path / "in" / "slip.zip"
    with zipfile.ZipFile(slip, "w") as archive:
        archive.writestr("../scaling.py", reference_source)
    link = tmp_path / "in" / "link"
    link.mkdir()
    (link / "scaling.py").symlink_to(kit / "solutions" / "scaling" / "scaling.py")
    out = tmp_path / "out"

    done = gradkit(
        "grade",
        "scaling",
        good,
        syntax,
        missing.parent,
        misnamed.parent,
        corrupt,
        notebook,
        needs,
        slip,
        link,
        "--out",
        out,
        "--root",
        kit,
        "--jobs",
        2,
    )

    table = rows(out)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert set(table) == {
        "good",
        "syntax",
        "missing",
        "misnamed",
        "corrupt",
        "broken",
        "needs",
        "slip",
        "scaling",
    }
    assert (table["good"]["status"], table["good"]["score"]) == ("graded", "100")
    assert (table["syntax"]["status"], table["syntax"]["score"]) == ("graded", "0")
    assert "syntax.py, line 6: not valid Python" in json.loads((out / "syntax" / "results.json").read_text())["output"]
    assert (
        "ModuleNotFoundError at needs.py:1: No module named 'pandas_that_is_not_there'"
        in json.loads((out / "needs" / "results.json").read_text())["output"]
    )
    for name, said in {
        "missing": "readme.txt",
        "misnamed": "scalign.py",
        "corrupt": "not a zip",
        "broken": "broken.ipynb",
        "slip": "..",
        "scaling": "symbolic link",
    }.items():
        assert table[name]["status"] == "refused", name
        assert said in table[name]["reason"], name
        assert "\n" not in table[name]["reason"]


def test_a_manifest_with_an_unknown_field_is_named_with_what_is_allowed(gradkit, kit):
    """File, key and the keys there are."""
    manifest = kit / "assignments" / "scaling" / "assignment.toml"
    manifest.write_text(manifest.read_text().replace("summary =", "sumary ="))

    done = gradkit("list", "--root", kit)

    assert done.returncode == 2
    one_line(done, "assignment.toml", "sumary", "summary")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("points = 40", "points = -1", "tasks.centre.points: must be above 0"),
        ('id = "standardise"', 'id = "centre"', "'centre' stands twice"),
        ('libraries = ["numpy"]', 'libraries = ["pandas"]', "libraries: allowed: numpy, torch, torch.optim"),
        ("order = 100", 'order = "first"', "order"),
        ("[[tasks]]", "[[tasks]", "not TOML"),
    ],
)
def test_wrong_values_in_a_manifest_are_named(gradkit, kit, old, new, said):
    """Each rule of the manifest has its line."""
    manifest = kit / "assignments" / "scaling" / "assignment.toml"
    manifest.write_text(manifest.read_text().replace(old, new, 1))

    done = gradkit("list", "--root", kit)

    assert done.returncode == 2
    one_line(done, "assignment.toml", said)


@pytest.mark.usefixtures("sandboxed")
def test_weights_that_do_not_add_up_fail_verify(gradkit, kit):
    """The task and both numbers are named."""
    tests = kit / "solutions" / "scaling" / "test_hidden.py"
    tests.write_text(tests.read_text().replace("@weight(30)", "@weight(31)", 1))

    done = gradkit("verify", "scaling", "--seeds", 1, "--root", kit)

    assert done.returncode == 1
    assert "task centre has 40 points but its checks weigh 41" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    # END SOLUTION centre\n", "", "BEGIN SOLUTION inside the block begun on line 20"),
        ("    # BEGIN SOLUTION centre\n", "", "END SOLUTION without a BEGIN SOLUTION"),
        ("BEGIN SOLUTION centre", "BEGIN SOLUTION center", "must name a task, got center"),
        ("# END SOLUTION standardise", "", "has no END SOLUTION"),
    ],
)
def test_wrong_markers_are_named_with_their_line(gradkit, kit, old, new, said):
    """An author's slip in a reference is found by its line."""
    reference = kit / "solutions" / "scaling" / "scaling.py"
    reference.write_text(reference.read_text().replace(old, new, 1))

    done = gradkit("build", "scaling", "--root", kit)

    assert done.returncode == 2
    one_line(done, "scaling.py:", said)


def test_a_stale_stub_is_found(gradkit, kit):
    """`build --check` changes nothing and fails."""
    stub = kit / "assignments" / "scaling" / "scaling.py"
    stub.write_text(stub.read_text() + "\n# edited\n")

    done = gradkit("build", "--check", "--root", kit)

    assert done.returncode == 1 and "stale" in done.stdout and "# edited" in stub.read_text()


@pytest.mark.usefixtures("sandboxed")
def test_a_check_without_a_number_is_named_with_its_line(gradkit, kit, write, reference_source):
    """An author's slip in the checks is bad input, not a student's zero."""
    tests = kit / "solutions" / "scaling" / "test_hidden.py"
    tests.write_text(tests.read_text().replace('@number("2.1")\n', "", 1))

    done = gradkit("grade", "scaling", write("a.py", reference_source), "--out", kit / "out", "--root", kit)

    assert done.returncode == 2
    one_line(done, "test_hidden.py:", "needs @number")


@pytest.mark.usefixtures("sandboxed")
def test_a_wrong_check_is_the_graders_error_and_nobodys_zero(gradkit, kit, write, reference_source, tmp_path):
    """When the reference fails too, the submission is not graded, its score is empty, and the command fails."""
    tests = kit / "solutions" / "scaling" / "test_hidden.py"
    tests.write_text(
        tests.read_text().replace(
            'agree("centre", rng.normal(size=(n, 3)) + 5.0)',
            'assert agree("centre", rng.normal(size=(n, 3))).sum() > 1e9',
        )
    )

    done = gradkit("grade", "scaling", write("a.py", reference_source), "--out", tmp_path / "out", "--root", kit)

    row = rows(tmp_path / "out")["a"]
    assert done.returncode == 1
    assert row["status"] == "not_graded" and row["score"] == "" and "the reference fails" in row["reason"]


def test_an_output_folder_that_can_not_be_made_is_named(gradkit, kit, write):
    """A file in the way is said so, before anything is graded."""
    out = write("out", "a file")

    done = gradkit("grade", "scaling", write("a.py", ""), "--out", out, "--root", kit)

    assert done.returncode == 2
    one_line(done, "out", "choose another --out")


@pytest.mark.usefixtures("sandboxed")
def test_a_finished_run_is_not_overwritten_and_is_resumed_without_grading_again(
    gradkit, kit, write, reference_source, tmp_path
):
    """A second run into the same folder is refused; with --resume only what is new or changed is graded."""
    first, second = write("one.py", reference_source), write("two.py", build_stub_text(kit))
    out = tmp_path / "out"
    gradkit("grade", "scaling", first, "--out", out, "--root", kit)
    stamp = (out / "one" / "results.json").stat().st_mtime_ns

    refused = gradkit("grade", "scaling", first, second, "--out", out, "--root", kit)
    resumed = gradkit("grade", "scaling", first, second, "--out", out, "--root", kit, "--resume")
    record = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**record, "device": "cuda"}))
    elsewhere = gradkit("grade", "scaling", first, second, "--out", out, "--root", kit, "--resume")

    assert refused.returncode == elsewhere.returncode == 2
    one_line(refused, "--resume")
    one_line(elsewhere, "holds a run on cuda, and this one is on cpu")
    assert resumed.returncode == 0
    assert (out / "one" / "results.json").stat().st_mtime_ns == stamp
    assert rows(out)["one"]["score"] == "100" and rows(out)["two"]["score"] == "0"


def build_stub_text(kit: Path) -> str:
    from gradkit.manifest import load_assignment

    return build_stub(load_assignment(kit, "scaling"))


@pytest.mark.usefixtures("sandboxed")
def test_an_interrupted_run_keeps_what_is_graded_and_is_gone_on_with(kit, write, reference_source, tmp_path):
    """Ctrl-C in the middle of a batch: whole files, a table, no process left; --resume ends with the same grades."""
    slow = reference_source + "\nimport time\ntime.sleep(0.3)\n"
    files = [write(f"s{number:02d}.py", slow + f"# {number}\n") for number in range(12)]
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "gradkit",
        "grade",
        "scaling",
        *map(str, files),
        "--out",
        str(out),
        "--root",
        str(kit),
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )
    for line in process.stderr:
        if line.startswith("[2/12]"):
            break
    os.killpg(process.pid, signal.SIGINT)
    said = process.stderr.read()
    process.wait(30)

    assert process.returncode == 130 and "--resume" in said and "Traceback" not in said
    for path in out.glob("*/results.json"):
        json.loads(path.read_text())
    done_before = [name for name, row in rows(out).items() if row["status"] == "graded"]
    assert 2 <= len(done_before) < 12
    assert {row["reason"] for name, row in rows(out).items() if name not in done_before} == {
        "the run ended before it: go on with --resume"
    }

    again = subprocess.run([*command, "--resume", "--jobs", "2"], capture_output=True, text=True, timeout=120)

    assert again.returncode == 0
    assert {row["score"] for row in rows(out).values()} == {"100"} and len(rows(out)) == 12


@pytest.mark.usefixtures("sandboxed")
def test_a_killed_judge_costs_nothing(kit, write, reference_source, tmp_path):
    """A judge that is killed in the middle is replaced, and its submission is graded by the next one."""
    slow = reference_source + "\nimport time\ntime.sleep(0.2)\n"
    files = [write(f"k{number}.py", slow + f"# {number}\n") for number in range(4)]
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "gradkit",
        "grade",
        "scaling",
        *map(str, files),
        "--out",
        str(out),
        "--root",
        str(kit),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for line in process.stderr:
        if line.startswith("[1/4]"):
            break
    os.kill(judge_of(process.pid), signal.SIGKILL)
    said = process.stderr.read()
    process.wait(60)

    assert process.returncode == 0, said
    assert {row["score"] for row in rows(out).values()} == {"100"} and len(rows(out)) == 4


@pytest.mark.usefixtures("sandboxed")
def test_a_hostile_submission_does_not_stop_the_class(gradkit, kit, write, reference_source, tmp_path):
    """Those before and after it are graded, and every submission has its row."""
    files = [write(f"c{number}.py", reference_source) for number in range(3)]
    attacks = Path(__file__).parent.parent / "attacks" / "corpus"
    for number, name in enumerate(("a122_surrogate_message", "a123_endless_line_number", "a125_deep_folders")):
        files.insert(
            2 * number + 1,
            write(
                f"h{number}.py",
                f"{reference_source}\n\n{(attacks / f'{name}.py').read_text(encoding='utf-8')}",
            ),
        )

    done = gradkit("grade", "scaling", *files, "--out", tmp_path / "out", "--root", kit)

    table = rows(tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert {name: row["score"] for name, row in table.items()} == {
        "c0": "100",
        "c1": "100",
        "c2": "100",
        "h0": "60",
        "h1": "60",
        "h2": "60",
    }


def judge_of(parent: int) -> int:
    """Pid of the judge process that a grading process started."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes()
                    stat = (entry / "stat").read_text()
                except OSError:
                    continue
                if b"gradkit.judge.process" in command and int(stat.rpartition(")")[2].split()[1]) == parent:
                    return int(entry.name)
    raise AssertionError("no judge process")


def test_new_refuses_names_that_are_taken_or_no_names(gradkit, kit):
    """One line each, and nothing is written."""
    one_line(gradkit("new", "scaling", "--root", kit), "is there already")
    one_line(gradkit("new", "Layer-Norm", "--root", kit), "layer_norm")


def test_usage_errors_exit_with_2(gradkit):
    """An unknown command or option is bad usage."""
    assert gradkit("grate").returncode == 2
    assert gradkit("grade").returncode == 2


def test_doctor_says_what_isolation_there_is(gradkit, kit):
    """The row of the isolation table that this machine is in."""
    assert "isolation: " in gradkit("doctor", "--root", kit).stdout


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--require-isolation", "total"], ["--require-isolation is separate-user", "'total'"]),
        ([], ["--out is missing"]),
    ],
)
def test_options_of_grade_that_make_no_sense(gradkit, kit, write, options, parts):
    """What is wrong and what is allowed, before anything is graded."""
    done = gradkit("grade", "scaling", write("scaling.py", ""), *options, "--root", kit)

    assert done.returncode == 2
    one_line(done, *parts)


def test_a_dry_run_says_whether_an_assignment_is_ready(gradkit, kit, sandboxed):
    """The reference, the stub and the mistakes are graded here; a check that can't tell a mistake is named."""
    ready = gradkit("grade", "scaling", "--dry-run", "--root", kit)
    for path in (kit / "solutions" / "scaling" / "mistakes").glob("*.toml"):
        harmless = re.sub("(?m)^edits = .*", 'edits = [["return ", "return 1 * "]]', path.read_text(encoding="utf-8"))
        path.write_text(harmless, encoding="utf-8")
    spoilt = gradkit("grade", "scaling", "--dry-run", "--root", kit)

    assert ready.returncode == 0, ready.stderr
    assert "ready for release here" in ready.stdout and "separate-user" in ready.stdout or os.geteuid()
    assert spoilt.returncode == 1 and "not ready for release here" in spoilt.stdout


def test_a_known_mistake_as_a_student_hands_it_in(gradkit, kit, tmp_path):
    """The reference with the mistake in it is written; for a name that nobody has, the nearest one is offered."""
    done = gradkit("mistake", "scaling", "unbiased_variance", "--out", tmp_path / "s.py", "--root", kit)
    unknown = gradkit("mistake", "scaling", "biased_variance", "--out", tmp_path / "t.py", "--root", kit)

    assert done.returncode == 0 and "Divides by n - 1." in done.stdout, done.stderr
    assert "x.var(axis=0, ddof=1)" in (tmp_path / "s.py").read_text(encoding="utf-8")
    assert unknown.returncode == 2 and not (tmp_path / "t.py").exists()
    one_line(unknown, "no mistake is called 'biased_variance'", "did you mean 'unbiased_variance'?")


def test_an_edit_that_no_longer_fits_is_told_in_one_line(gradkit, kit):
    """Whoever changes the reference reads which mistake has gone stale, and where; no traceback."""
    path = kit / "solutions" / "scaling" / "mistakes" / "centre.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"x.mean(axis=0)"', '"x.average(axis=0)"'), encoding="utf-8")

    done = gradkit("verify", "scaling", "--seeds", 1, "--root", kit)

    assert done.returncode == 1 and not done.stderr
    said, summary = done.stdout.splitlines()
    assert f"problem: {path}: centre_over_examples: edit 1 occurs 0 times in centre" in said
    assert "copy it as it stands in" in said and summary == "scaling: 1 problem"


def test_a_kit_named_by_a_relative_path_keeps_its_hidden_checks_hidden(gradkit, kit, mistaken, tmp_path):
    """What decides is which file a check stands in, not how the path to it is written."""
    (kit / "a.py").write_text(mistaken("centre_over_examples"), encoding="utf-8")

    done = gradkit("grade", "scaling", "a.py", "--out", "out", "--root", ".", cwd=kit)

    assert done.returncode == 0, done.stderr
    graded = results.read(kit / "out" / "a")
    hidden = [result.check for result in graded.results if result.check.hidden]
    assert {check.number for check in hidden} == {"1.1", "2.1", "2.2"}
    told = json.loads((kit / "out" / "a" / "results.json").read_text(encoding="utf-8"))
    assert not any(
        "got [" in test["output"] or "want" in test["output"] for test in told["tests"] if "(hidden)" in test["name"]
    )
