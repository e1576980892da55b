"""What students get works by itself, in an empty folder, and holds nothing of the solutions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def bundle(gradkit, small_kit, tmp_path_factory) -> Path:
    """The students' zip of the small kit, unpacked alone."""
    folder = tmp_path_factory.mktemp("student")
    done = gradkit("bundle", "student", "scaling", "--out", folder / "course.zip", "--root", small_kit)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(folder / "course.zip") as archive:
        archive.extractall(folder)
    return folder / "course"


def student(
    bundle: Path, *arguments: str, folder: str = "scaling", encoding: str = "utf-8"
) -> subprocess.CompletedProcess:
    """Run Python in the assignment's folder, without the kit's own packages on the path, on a console with this encoding."""
    code = "import sys; sys.path = [p for p in sys.path if 'autograder' not in p and 'shared' not in p]; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]; "
    environment = {
        **os.environ,
        "COLUMNS": "80",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": encoding,
    }
    environment.pop("PYTEST_ADDOPTS", None)
    if arguments[0] == "pytest":
        code += f"import pytest; sys.exit(pytest.main({list(arguments[1:])!r}))"
    elif arguments[0] == "-m":
        code += f"import runpy; sys.argv = {list(arguments[1:])!r}; sys.path.insert(0, '.'); runpy.run_module({arguments[1]!r}, run_name='__main__')"
    else:
        code += f"import runpy; sys.argv = {list(arguments)!r}; sys.path.insert(0, '.'); runpy.run_path({arguments[0]!r}, run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=bundle / folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding=encoding,
        timeout=120,
    )


@pytest.fixture
def solved(bundle, reference_source):
    """The student's file, solved for one test."""
    module = bundle / "scaling" / "scaling.py"
    stub = module.read_text(encoding="utf-8")
    module.write_text(reference_source, encoding="utf-8")
    yield module
    module.write_text(stub, encoding="utf-8")


def test_nothing_of_the_solutions_is_in_it(bundle, small_kit):
    """No hidden check, mistake or solution block."""
    text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in bundle.rglob("*") if path.is_file())

    assert "BEGIN SOLUTION" not in text and "test_population_variance" not in text and "HINT =" not in text
    assert "x.mean(axis=0)) / np.sqrt" not in text


def test_the_stub_is_told_to_be_unwritten(bundle):
    """A table of tasks, what to write first, and that hidden checks run elsewhere; no traceback."""
    done = student(bundle, "pytest")

    assert done.returncode == 1
    assert "not written" in done.stdout and "0/1" in done.stdout
    assert "Next: write centre in scaling.py, then run: pytest -k centre" in done.stdout
    assert done.stdout.splitlines()[-1] == "Public checks: 0 of 2. Hidden checks run when you submit."
    assert "Traceback" not in done.stdout + done.stderr and "test_public" not in done.stdout


def test_a_solved_file_passes(bundle, solved):
    """Everything public passes, and the last line says that this is not everything."""
    done = student(bundle, "pytest")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "Public checks: 2 of 2. Hidden checks run when you submit."
    assert "Next:" not in done.stdout and "First to mend" not in done.stdout


def swap(module: Path, line: str) -> None:
    """Change one line of the solved file."""
    text = module.read_text(encoding="utf-8")
    assert "return x - x.mean(axis=0)" in text
    module.write_text(text.replace("return x - x.mean(axis=0)", line), encoding="utf-8")


def test_the_table_comes_first_then_one_thing_to_mend(bundle, solved):
    """The first failing check in full, the observation on top and the values below; the others by a line."""
    swap(solved, "return x.mean(axis=0) - x")
    solved.write_text(
        solved.read_text(encoding="utf-8") + "\n\ndef standardise(x, *, eps=1e-5):\n    return 2 * x\n",
        encoding="utf-8",
    )

    done = student(bundle, "pytest")
    everything = student(bundle, "pytest", "--all").stdout

    lines = [line.strip() for line in done.stdout.splitlines()]
    order = [
        "1 Centre each feature",
        "First to mend: centre by hand",
        "Observed   output has the opposite sign",
        "The claim  Features 1, 3 and 10, 30 have means 2 and 20.",
        "The check  test_scaling.py:",
        "Run again  pytest -k centre",
        "want",
        "Also wrong (1; pytest --all explains each):",
        "standardised features have unit variance: variance of each feature",
        "Public checks: 0 of 2.",
    ]
    places = [next(i for i, line in enumerate(lines) if line.startswith(part)) for part in order]
    assert done.returncode == 1 and places == sorted(places), done.stdout
    assert "Traceback" not in done.stdout and "coursekit" not in done.stdout
    assert everything.count("The claim ") == 2 and "Also wrong" not in everything


def test_a_failed_assertion_is_told_in_a_sentence(bundle, solved):
    """Of the check's as of the student's own, whose line stands below; no "AssertionError:" before it."""
    tests = solved.with_name("test_scaling.py")
    text = tests.read_text(encoding="utf-8")
    added = '\n\n@number("1.9")\n@weight(0)\n@tags("centre")\ndef test_rows(impl):\n    """A claim."""\n    assert len(impl.centre(np.ones((2, 3)))) == 7\n'
    try:
        tests.write_text(text + added, encoding="utf-8")
        checks = student(bundle, "pytest", "-k", "test_rows").stdout
        swap(solved, "assert x.ndim == 7, 'seven axes'")
        own = student(bundle, "pytest", "-k", "test_rows").stdout
    finally:
        tests.write_text(text, encoding="utf-8")

    assert "Observed   2 == 7 is not true" in checks
    assert "Observed   your own assert fails: seven axes" in own
    assert "AssertionError:" not in checks + own


def test_of_an_error_only_the_students_own_lines_are_shown(bundle, solved):
    """Where they were, outermost first; four at most, however deep; nothing of ours or of NumPy's."""
    swap(solved, "return helper(x)")
    solved.write_text(
        solved.read_text(encoding="utf-8") + "\n\ndef helper(x):\n    return np.reshape(x, 7)\n",
        encoding="utf-8",
    )
    shallow = student(bundle, "pytest").stdout
    solved.write_text(solved.read_text(encoding="utf-8").replace("np.reshape(x, 7)", "helper(x)"), encoding="utf-8")
    deep = student(bundle, "pytest").stdout

    assert "Observed   ValueError: cannot reshape array" in shallow
    own = [line.strip() for line in shallow.splitlines() if "scaling.py:" in line and "test_" not in line]
    assert own.pop(0).startswith("raises      centre (ValueError at scaling.py:")
    assert len(own) == 2
    assert own[0].startswith("Your code  scaling.py:") and own[0].endswith("in centre: return helper(x)")
    assert own[1].endswith("in helper: return np.reshape(x, 7)") and "fromnumeric" not in shallow
    assert "RecursionError" in deep and deep.count("in helper: return helper(x)") == 4


def test_what_the_students_code_prints_is_shown(bundle, solved):
    """Printing is how many look into their code; pages of it do not push the rest away."""
    swap(solved, "print('mean is', x.mean(axis=0)); print('row\\n' * 100); return x")

    said = student(bundle, "pytest").stdout

    assert "Your code printed:" in said and "mean is [ 2. 20.]" in said
    assert said.count("    row") < 25 and "lines more" in said


@pytest.mark.parametrize("option", ["--task", "-k"])
def test_one_task_is_run_by_its_name(bundle, solved, option):
    """`pytest -k task` does what `pytest --task task` does; `standardise` stands in no name of a test."""
    done = student(bundle, "pytest", option, "standardise")

    assert done.returncode == 0 and "Public checks: 1 of 1." in done.stdout
    assert "2 Scale each feature" in done.stdout and "1 Centre each feature" not in done.stdout


def test_each_function_is_told_by_itself(bundle, solved):
    """Written and right, though another of the file is not; the next one is named with its own command."""
    text = solved.read_text(encoding="utf-8")
    unwritten = 'raise NotImplementedError("task standardise is not written yet")'
    solved.write_text(text.replace("return (x - x.mean", f"{unwritten}\n    return (x - x.mean"), encoding="utf-8")

    said = student(bundle, "pytest").stdout

    assert "    passes      centre\n" in said and "    not written standardise\n" in said
    assert "Next: write standardise in scaling.py, then run: pytest -k standardise" in said
    assert all(len(line) <= 80 for line in said.splitlines()), "the table fits a terminal of 80 columns"


def test_a_name_error_is_no_unwritten_function(bundle, solved):
    """A written function that raises is called so, with its line."""
    swap(solved, "return x - maen")

    said = student(bundle, "pytest").stdout

    assert "    raises      centre (NameError at scaling.py:21)\n" in said and "not written" not in said
    assert "Run again  pytest -k centre" in said


@pytest.mark.parametrize(
    ("line", "state", "observed"),
    [
        ("y = x", "wrong       centre", "Observed   "),
        ("return 3", "wrong       centre", "Observed   "),
        ("return np.mean(axis=1)", "raises      centre (TypeError at scaling.py:21)", "Observed   TypeError: "),
    ],
)
def test_no_answer_is_wrong_and_not_raised(bundle, solved, line, state, observed):
    """What a check can't use is the answer's fault; what the student's line raises is told with it."""
    swap(solved, line)

    said = student(bundle, "pytest", "-k", "centre").stdout

    assert f"    {state}\n" in said and observed in said


def test_a_return_that_is_missing_is_asked_for(bundle, solved):
    """Where the check can't take apart what it got: wrong, without a line of the student's to look at."""
    checks = solved.with_name("test_scaling.py")
    text = checks.read_text(encoding="utf-8")
    checks.write_text(text.replace("centered = impl.centre(x)", "centered, _ = impl.centre(x)"), encoding="utf-8")
    swap(solved, "y = x")

    said = student(bundle, "pytest", "-k", "centre").stdout

    checks.write_text(text, encoding="utf-8")
    assert "    wrong       centre\n" in said
    assert "cannot unpack non-iterable NoneType object (is a `return` missing?)" in " ".join(said.split())


def test_another_signature_is_told_as_what_it_raises(bundle, solved):
    """Before any line of the student's runs."""
    text = solved.read_text(encoding="utf-8")
    solved.write_text(text.replace("def centre(x: np.ndarray)", "def centre(x: np.ndarray, n: int)"), encoding="utf-8")

    said = student(bundle, "pytest", "-k", "centre").stdout

    assert "    raises      centre (TypeError)\n" in said and "missing 1 required positional argument: 'n'" in said


def test_what_remains_to_see_is_one_line(bundle, solved):
    """A figure until it is drawn, and the written question when all functions pass."""
    before = student(bundle, "pytest").stdout
    student(bundle, "figures.py")
    after = student(bundle, "pytest").stdout
    shutil.rmtree(solved.parent / "figures")

    assert 'Left to see: python figures.py before_after; question "New data" in README.md\n' in before
    assert 'Left to see: question "New data" in README.md\n' in after


def test_a_functions_name_selects_the_checks_about_it(bundle, solved):
    """`-k centre`, and with `--task` only those of the task; a task that has none is a line."""
    both = student(bundle, "pytest", "--task", "standardise", "-k", "standardise")
    none = student(bundle, "pytest", "--task", "standardise", "-k", "centre")

    assert "Public checks: 1 of 1." in both.stdout and "passes      standardise" in both.stdout
    assert none.returncode == 4 and "no public check of task standardise is about centre" in none.stderr


def test_k_still_takes_pytests_expressions(bundle, solved):
    """What is no task's name is what it always was."""
    assert "Public checks: 1 of 1." in student(bundle, "pytest", "-k", "unit and not hand").stdout


def test_colours_are_for_terminals(bundle):
    """Plain text elsewhere."""
    assert "\x1b" not in student(bundle, "pytest").stdout
    assert "\x1b[33mnot written" in student(bundle, "pytest", "--color=yes").stdout


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_any_console_can_show_it(bundle, solved, encoding):
    """Characters that a console lacks are replaced, not escaped, and nothing fails over them."""
    swap(solved, "raise ValueError('θ − 1 → ∞, naïve')")

    done = student(bundle, "pytest", encoding=encoding)

    naive = "na?ve" if encoding == "ascii" else "naïve"
    assert done.returncode == 1 and "INTERNALERROR" not in done.stdout + done.stderr
    assert "Observed   ValueError: ? - 1 -> ?, " + naive in done.stdout
    assert "\\u" not in done.stdout and "Public checks: 1 of 2." in done.stdout


def test_a_syntax_error_is_one_line(bundle, solved):
    """Named with its line, not as a traceback of the plugin's."""
    solved.write_text("def centre(x:\n    return x\n", encoding="utf-8")

    done = student(bundle, "pytest")

    assert "scaling.py:1: not valid Python" in done.stdout and "importlib" not in done.stdout


def test_a_student_reads_which_python_grades(bundle, solved):
    """In START.txt, and below the table where theirs is another one: a line, no failure."""
    here = "{}.{}".format(*sys.version_info)
    start = (bundle / "START.txt").read_text(encoding="utf-8")
    alike = student(bundle, "pytest").stdout
    manifest = solved.with_name("assignment.toml")
    manifest.write_text(
        manifest.read_text(encoding="utf-8").replace(f'python = "{here}"', 'python = "3.10"'), encoding="utf-8"
    )
    other = student(bundle, "pytest")

    assert f"with Python {here}, NumPy and PyTorch" in start
    assert "is graded with Python" not in alike
    assert f"You run Python {here}; your file is graded with Python 3.10." in other.stdout and other.returncode == 0


def test_a_file_that_can_not_be_imported_is_told_of_once(bundle, solved):
    """The place and the student's line; no claims of checks that were not reached."""
    solved.write_text("import numpy as np\n\nEPS = np.epsilon\n", encoding="utf-8")

    said = student(bundle, "pytest").stdout

    assert "First to mend: scaling.py, which can't be imported" in said
    assert "Observed   AttributeError: module 'numpy' has no attribute 'epsilon'" in said
    assert "Your code  scaling.py:3 in <module>: EPS = np.epsilon" in said
    assert said.count("AttributeError") == 1 and "The claim" not in said and "Also wrong" not in said


def test_a_library_that_is_not_there_when_graded_is_told_of(bundle, solved):
    """The student has it installed, so that every check passes here and none would on submission."""
    text = solved.read_text(encoding="utf-8")
    harmless = "\n\ndef later():\n    import json, numpy.linalg, regex\n    from coursekit import data\n"
    solved.write_text(text + harmless, encoding="utf-8")
    without = student(bundle, "pytest").stdout
    solved.write_text(text + harmless + "    from matplotlib import pyplot\n", encoding="utf-8")
    with_it = student(bundle, "pytest").stdout

    assert "not there when it is graded" not in without
    assert "scaling.py imports matplotlib: not there when it is graded." in with_it and "2 of 2" in with_it


def test_what_costs_points_is_told_in_the_graders_words(bundle, solved, grade_source):
    """A function that is renamed, and a banned call: the lines that stand in the grade, before it is one."""
    manifest = solved.with_name("assignment.toml")
    kept = manifest.read_text(encoding="utf-8")
    manifest.write_text(
        kept.replace('functions = ["centre"]', 'functions = ["centre"]\nbanned = [".mean"]'), encoding="utf-8"
    )
    text = solved.read_text(encoding="utf-8").replace("def centre(", "def center(")
    solved.write_text(text, encoding="utf-8")

    said = " ".join(student(bundle, "pytest").stdout.split())

    manifest.write_text(kept, encoding="utf-8")
    graded = {case.summary for result in grade_source(text).results if not result.check.hidden for case in result.cases}
    missing = "scaling.py defines no centre: is it deleted, renamed or inside another function?"
    assert missing in graded and said.count(missing) == 2, "as a cost, and as what was observed"
    assert "missing centre" in said and "Run again pytest -k centre" in said
    line = next(number for number, found in enumerate(text.splitlines(), 1) if ".mean(" in found)
    assert f"scaling.py:{line} uses x.mean, which this assignment asks you to write yourself" in said


def test_a_loop_without_end_is_stopped_at_its_line(bundle, solved):
    """A few times the limit that the check has when graded; the other checks run."""
    manifest = solved.with_name("assignment.toml")
    text = manifest.read_text(encoding="utf-8")
    limit = next(line for line in text.splitlines() if line.startswith("timeout_s"))
    manifest.write_text(text.replace(limit, "timeout_s = 0.25"), encoding="utf-8")
    swap(solved, "while True: x = x + 0")

    said = student(bundle, "pytest").stdout

    manifest.write_text(text, encoding="utf-8")
    assert "Observed   stopped after 1 s: is there a loop that does not end?" in said
    assert "in centre: while True: x = x + 0" in said and "Public checks: 1 of 2." in said


def test_a_check_of_many_lines_is_shown_in_one(bundle, solved):
    """Without its layout and comments; few values stand right below the observation."""
    checks = solved.with_name("test_scaling.py")
    text = checks.read_text(encoding="utf-8")
    call = next(line for line in text.splitlines() if "impl.centre(" in line)
    inner = call[call.index("impl.centre(") + len("impl.centre(") :]
    folded = call.replace("impl.centre(", "impl.centre(  # by hand\n            ", 1)
    checks.write_text(text.replace(call, folded, 1), encoding="utf-8")
    swap(solved, "raise ValueError('no')")

    said = " ".join(student(bundle, "pytest").stdout.split())

    checks.write_text(text, encoding="utf-8")
    assert "by hand" not in said.partition("The check")[2] and f"impl.centre({inner}"[:30] in said.replace('"', "'")


def test_the_written_question_stands_in_the_handout(bundle, scaling):
    """Whoever hands in the file must see it too; once, before what is said about handing in."""
    question = scaling.manifest.questions[0]
    text = (bundle / "scaling" / "README.md").read_text(encoding="utf-8")

    assert text.count(f"## Question: {question.title}") == 1 and question.text.strip() in text
    assert question.title not in (scaling.public / "README.md").read_text(encoding="utf-8")


def test_an_unknown_task_is_answered_with_those_there_are(bundle):
    """`--task` with a wrong name."""
    done = student(bundle, "pytest", "--task", "center")

    assert done.returncode == 4
    assert "no task is called center; tasks here: centre, standardise" in done.stderr


def test_gpu_checks_without_a_gpu_are_skipped_not_wrong(bundle, solved):
    """`--device cuda` on a machine without one fails nothing that does not need it."""
    assert "2 of 2" in student(bundle, "pytest", "--device", "cuda").stdout


def test_figures_are_drawn_from_the_students_code(bundle, solved):
    """`python figures.py`, with nothing installed but the requirements."""
    done = student(bundle, "figures.py")

    assert done.returncode == 0, done.stderr
    assert (bundle / "scaling" / "figures" / "before_after.svg").is_file()


def test_lines_can_be_tried_in_every_shell(bundle):
    """`python figures.py -i` finds coursekit and the student's file by itself: no shell's way to set a variable is needed."""
    done = student(bundle, "figures.py", "-i")

    assert done.returncode == 0 and "Python with the names of scaling.py" in done.stderr


def test_figures_of_an_unwritten_function_are_skipped_by_name(bundle, solved):
    """They fail softly; with nothing written there is one line, for all assignments too."""
    text = solved.read_text(encoding="utf-8")
    unwritten = 'raise NotImplementedError("task {} is not written yet")\n    return '
    one = text.replace("return (x - x.mean", unwritten.format("standardise") + "(x - x.mean")
    solved.write_text(one, encoding="utf-8")
    done = student(bundle, "figures.py")
    solved.write_text(one.replace("return x - x.mean", unwritten.format("centre") + "x - x.mean"), encoding="utf-8")
    nothing, all_of_them = student(bundle, "figures.py"), student(bundle, "-m", "coursekit.figures", folder=".")

    assert done.returncode == 0 and done.stdout == "skipped: before_after, standardise is not written yet\n"
    line = "nothing to draw yet: no function in scaling.py is written; begin with centre\n"
    assert nothing.returncode == 0 and nothing.stdout == line
    assert all_of_them.returncode == 0 and all_of_them.stdout == f"scaling:\n{line}"


def test_all_assignments_figures_are_drawn_by_one_command(bundle, solved):
    """`python -m coursekit.figures` at the bundle's root; a folder without assignments, or a wrong name, is a line."""
    done = student(bundle, "-m", "coursekit.figures", folder=".")
    wrong = student(bundle, "-m", "coursekit.figures", "scalign", folder=".")
    nowhere = student(bundle, "-m", "coursekit.figures", "--folder", "coursekit", folder=".")

    assert done.returncode == 0 and done.stdout.splitlines()[0] == "scaling:"
    assert "drew figures/before_after.svg and .png" in done.stdout
    assert wrong.returncode == 2 and "no assignment is called scalign; there are scaling" in wrong.stderr
    assert nowhere.returncode == 2 and "no assignment with a figures.py in" in nowhere.stderr


def test_one_assignment_that_fails_stops_no_other(bundle, solved, tmp_path):
    """Both are tried, the exit code tells, and the unwritten one is named."""
    course = tmp_path / "course"
    shutil.copytree(bundle, course)
    shutil.copytree(course / "scaling", course / "a_broken_one")
    (course / "a_broken_one" / "scaling.py").write_text("def centre(x)\n", encoding="utf-8")

    done = student(course, "-m", "coursekit.figures", folder=".")

    assert done.returncode == 1
    assert "a_broken_one:\nfailed: scaling.py:1:" in done.stdout and "scaling:\ndrew figures/" in done.stdout


def test_assistants_are_asked_to_tutor(gradkit, bundle, small_kit, tmp_path):
    """AGENTS.md names the file that the student writes; an instructor can leave it out."""
    text = (bundle / "AGENTS.md").read_text(encoding="utf-8")
    done = gradkit(
        "bundle", "student", "scaling", "--out", tmp_path / "course", "--no-agents-file", "--root", small_kit
    )

    assert "scaling.py: be their tutor, not their author" in text
    assert done.returncode == 0 and not (tmp_path / "course" / "AGENTS.md").exists()
    assert (tmp_path / "course" / "START.txt").is_file()


def test_a_bundle_is_not_written_over(gradkit, small_kit, bundle):
    """One line, and nothing changed."""
    done = gradkit("bundle", "student", "scaling", "--out", bundle.parent / "course.zip", "--root", small_kit)

    assert done.returncode == 2 and "is there already" in done.stderr
