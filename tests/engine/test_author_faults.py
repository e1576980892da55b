"""Each slip of an author's gets one line: which file and line, what is wrong, what to do. Nothing is run to find it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from gradkit.errors import AuthoringError, InputError
from gradkit.examine.faults import bundle_faults, grading_faults, release_gaps, static_faults
from gradkit.examine.rehearsal import rehearse
from gradkit.manifest import load_all, load_assignment
from gradkit.mistakes import EditedMistake
from gradkit.notebooks.write import build_notebook
from gradkit.scaffold import new_assignment
from gradkit.stubs import build_stub, write_if_changed

ROOT = Path(__file__).resolve().parent.parent.parent
MANIFEST, README = "assignments/scaling/assignment.toml", "assignments/scaling/README.md"
STUB, NOTEBOOK = "assignments/scaling/scaling.py", "assignments/scaling/scaling.ipynb"
PUBLIC, FIGURES = "assignments/scaling/test_scaling.py", "assignments/scaling/figures.py"
REFERENCE, HIDDEN = "solutions/scaling/scaling.py", "solutions/scaling/test_hidden.py"
ALTERNATIVE = "solutions/scaling/alternatives/loops.py"
ASKED = "solutions/scaling/asked.toml"
TEMPLATES = Path(sys.modules["gradkit.scaffold"].__file__).parent / "templates" / "new"
MISTAKE, ENTRIES = "solutions/scaling/mistakes/planted.py", "solutions/scaling/mistakes/standardise.toml"
NO_HINT = '"""Why."""\n\nTASK = "centre"\nHINT = "Which axis?"\n\n\ndef centre(x):\n    return x\n'


@dataclass
class Planted:
    """One slip: in a file, `old` becomes `new` (an empty `old` appends; an empty `new` too removes the file)."""

    name: str
    file: str
    old: str
    new: str
    said: list[str]
    rebuilt: bool = True  # the author ran `gradkit build` afterwards
    blocks: bool = True  # grade and bundle refuse

    def plant(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if not self.old and not self.new:
            path.unlink()
            return
        assert self.old in text
        path.write_text(text.replace(self.old, self.new, 1) if self.old else text + self.new, encoding="utf-8")
        if self.rebuilt:
            assignment = load_assignment(root, "scaling")
            with contextlib.suppress(AuthoringError):
                write_if_changed(assignment.stub, build_stub(assignment))
                write_if_changed(assignment.notebook, build_notebook(assignment))


def line(file: str, part: str) -> int:
    """The line of the scaffold's `file` that holds `part`."""
    side, _, name = file.partition("/scaling/")
    names = {"test_scaling.py": "test_public.py", "scaling.py": "reference.py"}
    text = (TEMPLATES / side.rstrip("s") / names.get(name, name)).read_text(encoding="utf-8")
    if file == MANIFEST:  # the small kit's has a line more above its tasks
        text = text.replace("\n\n[[", "\ntimeout_s = 3\n\n[[", 1)
    return next(number for number, found in enumerate(text.splitlines(), 1) if part in found)


def lines(file: str) -> int:
    """How many lines the scaffold's `file` has."""
    return len(
        (TEMPLATES / file.replace("assignments/scaling/", "assignment/")).read_text(encoding="utf-8").splitlines()
    )


FOUND = "students are to find what a centered feature is divided by themselves"
BY_HAND = line(PUBLIC, "def test_centre_by_hand")
EACH = line(HIDDEN, "def test_each_feature")
VARIANCE = line(HIDDEN, "def test_population_variance")
EPS = line(HIDDEN, "def test_eps_is_inside")
CENTRE, STANDARDISE = line(MANIFEST, 'id = "centre"'), line(MANIFEST, 'id = "standardise"')
TASK_1, TASK_2 = line(README, "## Task 1"), line(README, "## Task 2")

PLANTED = [
    Planted(
        "a public check takes the reference", PUBLIC, "centre_by_hand(impl)", "centre_by_hand(impl, reference)",
        [f"{PUBLIC}:{BY_HAND}: test_centre_by_hand takes reference, which only hidden checks have; compare with a value worked out by hand"],
    ),
    Planted(
        "a public check imports the hidden ones", PUBLIC, "import numpy as np\n", "import numpy as np\nimport test_hidden\n",
        [f"{PUBLIC}:4: imports test_hidden: each file of checks stands by itself; copy the helper that it needs"],
    ),
    Planted(
        "a public check imports the engine", PUBLIC, "import numpy as np\n", "import numpy as np\nfrom gradkit.model import Check\n",
        [f"{PUBLIC}:4: imports gradkit.model, which students don't have; coursekit is what they share with the grader"],
    ),
    Planted(
        "a check imports the submission", HIDDEN, "import pytest\n", "import pytest\nimport scaling\n",
        [f"{HIDDEN}:4: imports scaling: take the fixture impl, which is the submission, or reference"],
    ),
    Planted(
        "a public check imports what students lack", PUBLIC, '    x = np.array([[1.0, 10.0]', '    import scipy\n    x = np.array([[1.0, 10.0]',
        [f"{PUBLIC}:{BY_HAND + 2}: imports scipy, which students don't have; there are coursekit, gradescope_utils, matplotlib, numpy, pytest, regex, torch"],
    ),
    Planted(
        "a need that is not there", MANIFEST, "order = ", 'needs = ["scalng"]\norder = ',
        [f"{MANIFEST}: needs: no assignment is called 'scalng'; did you mean 'scaling'?"], blocks=False,
    ),
    Planted(
        "a need of itself", MANIFEST, "order = ", 'needs = ["scaling"]\norder = ',
        [f"{MANIFEST}: needs: it can't need itself; take it out"], blocks=False,
    ),
    Planted(
        "a missing section", README, "## Task 2: scale", "## Scale",
        [f"{README}: there is no section ## Task 2 for the task standardise"],
    ),
    Planted(
        "a section too many", README, "## Look at it", "## Task 3: Look at it",
        [f"{README}:{line(README, '## Look at it')}: a section Task 3, but the manifest has 2 tasks"],
    ),
    Planted(
        "wrong points in the handout", README, "40 points", "45 points",
        [f"{README}:{TASK_1 + 2}: task centre is said to have 45 points, but the manifest says 40"],
    ),
    Planted(
        "wrong minutes in the handout", README, "15 minutes", "20 minutes",
        [f"{README}:{TASK_2}: task standardise is said to have 20 minutes, but the manifest says 15"], blocks=False,
    ),
    Planted(
        "no points in the handout", README, " · 40 points", "",
        [f"{README}:{TASK_1}: the section of task centre does not say its points; write · 40 points · behind its functions"],
    ),
    Planted(
        "a function that the handout does not name", README, "`standardise`", "standardise",
        [f"{README}:{TASK_2}: the section of task standardise does not name `standardise`, which the task asks for"], blocks=False,
    ),
    Planted(
        "a command for no task", README, "--task centre", "--task center",
        [
            f"{README}:{TASK_1}: the section of task centre does not name its command `pytest --task centre`",
            f"{README}:{TASK_1 + 2}: --task center: no task is called so; tasks: centre, standardise",
        ],
        blocks=False,
    ),
    Planted(
        "a picture that is not there", README, "## Submit", "![The idea](img/idea.svg)\n\n## Submit",
        [f"{README}:{line(README, '## Submit')}: shows img/idea.svg, which is not there"], blocks=False,
    ),
    Planted("no handout", README, "", "", [f"{README}: missing; CONTRIBUTING.md says what it holds"]),
    Planted("no hidden checks", HIDDEN, "", "", [f"{HIDDEN}: missing; CONTRIBUTING.md says what it holds"]),
    Planted(
        "points that sum to 95", MANIFEST, "points = 40", "points = 35",
        [
            f"{MANIFEST}: the tasks' points add up to 95, not 100; change their points",
            f"{MANIFEST}:{CENTRE}: task centre has 35 points but its checks weigh 40; change its points, or the @weight of its checks",
            f"{README}:{TASK_1 + 2}: task centre is said to have 40 points, but the manifest says 35",
        ],
    ),
    Planted(
        "weights that don't sum", HIDDEN, "@weight(20)", "@weight(21)",
        [f"{MANIFEST}:{STANDARDISE}: task standardise has 60 points but its checks weigh 61; change its points, or the @weight of its checks"],
    ),
    Planted(
        "a stale stub", STUB, "", "\n# edited\n", [f"{STUB}: stale; run gradkit build scaling"], rebuilt=False,
    ),
    Planted(
        "a stale notebook", NOTEBOOK, "Return X", "Give X", [f"{NOTEBOOK}: stale; run gradkit build scaling"], rebuilt=False,
    ),
    Planted("no notebook", NOTEBOOK, "", "", [f"{NOTEBOOK}: missing; run gradkit build scaling"], rebuilt=False),
    Planted(
        "a hint that is the missing line", MISTAKE, "", NO_HINT.replace("Which axis?", "Try x - x.mean(axis=0), please."),
        [f"{MISTAKE}:4: the hint of planted holds the solution's `x - x.mean(axis=0)`; ask about the concept instead"], blocks=False,
    ),
    Planted(
        "a hint that holds what its edit spoils", ENTRIES, "",
        '\n[[mistakes]]\nname = "planted_edit"\nfunction = "standardise"\nwhy = "Why."\nedits = [["x.var(axis=0)", "x.var()"]]\n'
        'hint = "Did you write x.var(axis = 0) there?"\n',
        ["{ENTRY}: the hint of planted_edit holds the solution's `x.var(axis=0)`; ask about the concept instead"], blocks=False,
    ),
    Planted(
        "a solution in the handout", README, "Return X − μ.", "Return `(x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)`.",
        [
            f"{README}: holds the solution's line `(x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)`",
            f"{README}:{line(README, 'Return X')}: holds `/ np.sqrt(`: {FOUND}",
        ],
        blocks=False,
    ),
    Planted(
        "what is asked for, in the handout", README, "ε is added to the variance", "Divide by √(σ² +\nε). It is added to the variance",
        [f"{README}:{line(README, 'ε is added')}: holds `√(σ²`: {FOUND}"], blocks=False,
    ),
    Planted(
        "what is asked for, in a docstring", REFERENCE, "Added to the population variance", "Added inside the root of\n            the variance",
        [f"{STUB}:{line(REFERENCE, 'Added to the population') - 1}: holds `root of the variance`: {FOUND}"], blocks=False,
    ),
    Planted(
        "what is asked for, in a public check", PUBLIC, "scaled = impl", "want = x / np.sqrt (x.var(axis=0))\n    scaled = impl",
        [f"{PUBLIC}:{line(PUBLIC, 'scaled = impl')}: holds `/ np.sqrt(`: {FOUND}"], blocks=False,
    ),
    Planted(
        "what is asked for, in a written question", MANIFEST, "You have standardised", "By the sqrt(variance) you have standardised",
        [f"{MANIFEST}:{line(MANIFEST, 'You have standardised')}: holds `sqrt(variance`: {FOUND}"], blocks=False,
    ),
    Planted(
        "what is asked for, in a figure's caption", FIGURES, "both axes get the same scale", "is divided by the sqrt( variance )",
        [f"{FIGURES}:{line(FIGURES, 'both axes')}: holds `sqrt(variance`: {FOUND}"], blocks=False,
    ),
    Planted(
        "what is asked for, in a notebook that was edited", NOTEBOOK, "Return X", "By √(σ²), return X",
        [f"{NOTEBOOK}: stale; run gradkit build scaling", f"{NOTEBOOK}: cell centre-text: holds `√(σ²`: {FOUND}"], rebuilt=False,
    ),
    Planted(
        "a form of no function's", ASKED, '["standardise"]', '["standardize"]',
        [f"{ASKED}: what a centered feature is divided by: no task asks for a function standardize; there are centre, standardise"],
        blocks=False,
    ),
    Planted(
        "a form that is no text", ASKED, '"√(σ²"', "3",
        [f"{ASKED}: Expected `str`, got `int` - at `$.asked[0].forms[2]`; an entry has what, functions and forms"], blocks=False,
    ),
    Planted(
        "a form that stands everywhere", ASKED, '"√(σ²"', '" σ "',
        [f"{ASKED}: what a centered feature is divided by: the form ' σ ' is too short to be told from other text"], blocks=False,
    ),
    Planted(
        "a list of forms that is no TOML", ASKED, "forms = [", "forms = ",
        [f"{ASKED}:5: not TOML: Expected newline or end of document after a statement"], blocks=False,
    ),
    Planted(
        "a function without a public check of its own", PUBLIC, "scaled = impl.standardise(x, eps=0.0)",
        "scaled = impl.standardise(x + impl.centre(x), eps=0.0)",
        [
            f"{PUBLIC}: standardise of task standardise has no public check of its own; "
            "write one that names impl.standardise and no other function that students write"
        ],
        blocks=False,
    ),
    Planted(
        "a handout that nobody reads through", README, "## Submit", "more\n" * 250 + "\n## Submit",
        [f"{README}: {251 + lines(README)} lines; at most 250, so that a student reads it through"], blocks=False,
    ),
    Planted(
        "the handout sends students to the solutions", README, "Return X − μ.", "Return X − μ, as solutions/scaling/scaling.py does.",
        [f"{README}:{line(README, 'Return X')}: names solutions/, which students don't have"], blocks=False,
    ),
    Planted(
        "an unknown fixture, twice", HIDDEN, "(agree, rng)", "(agree, rgn)",
        [
            f"{HIDDEN}:{VARIANCE}: test_population_variance takes rgn, which is no fixture; "
            "there are impl, rng, torch_rng, device, vjp, agree, reference; did you mean rng?"
        ],
    ),
    Planted(
        "a tolerance that agree does not know", HIDDEN, "size=(3, 4)))", "size=(3, 4)), rtol=1e-3)",
        [f"{HIDDEN}:{VARIANCE + 2}: agree passes rtol on to the submission; write tol=(rtol, atol)"], blocks=False,
    ),
    Planted(
        "a parameter that the check does not take", HIDDEN, "agree, rng, n)", "agree, rng)",
        [f"{HIDDEN}:{EACH}: parametrize gives n, which test_each_feature_is_centred_by_itself does not take"],
    ),
    Planted(
        "a check that can't fail", HIDDEN, "(agree, rng)", "(rng)",
        [f"{HIDDEN}:{VARIANCE}: test_population_variance takes neither impl nor agree, so that no submission can fail it"],
    ),
    Planted(
        "a number that stands twice", HIDDEN, '@number("2.2")', '@number("2.1")',
        [f"{HIDDEN}:{EPS}: number 2.1 of test_eps_is_inside_the_root is test_population_variance's too (test_hidden.py:{VARIANCE}); give each its own"],
    ),
    Planted(
        "a check without a number", HIDDEN, '@number("2.1")\n', "",
        [f'{HIDDEN}:{VARIANCE - 1}: test_population_variance needs @number("1.1")'],
    ),
    Planted(
        "a tag that is no task", PUBLIC, '@tags("centre")', '@tags("center")',
        [
            f"{PUBLIC}:{BY_HAND}: the first tag of test_centre_by_hand must be a task, got 'center'; tasks: centre, standardise",
            f"{MANIFEST}:{CENTRE}: task centre has 40 points but its checks weigh 30; change its points, or the @weight of its checks",
            f'{PUBLIC}: task centre has no public check; write one with @tags("centre")',
        ],
    ),
    Planted(
        "a check without a claim", HIDDEN, '    """The variance divides by n: with few examples the difference is plain."""\n', "",
        [f"{HIDDEN}:{VARIANCE}: test_population_variance needs a docstring that states its claim"],
    ),
    Planted(
        "two checks of one name", HIDDEN, "test_eps_is_inside_the_root", "test_population_variance",
        [f"{HIDDEN}:{EPS}: test_population_variance is defined on line {VARIANCE} too, and only the last one runs; rename one"],
    ),
    Planted(
        "a syntax error in the reference", REFERENCE, "return x - x.mean(axis=0)", "return x -",
        [f"{REFERENCE}:{line(REFERENCE, 'return x - x.mean')}: not valid Python: invalid syntax"],
    ),
    Planted(
        "a syntax error in a check", HIDDEN, "(agree, rng):", "(agree, rng)",
        [f"{HIDDEN}:{VARIANCE}: not valid Python: expected ':'"],
    ),
    Planted(
        "a syntax error in a mistake", MISTAKE, "", NO_HINT + "\ndef = 3\n",
        [f"{MISTAKE}:10: not valid Python: invalid syntax"],
    ),
    Planted(
        "a syntax error in the figures", FIGURES, "def before_after(impl):", "def before_after(impl)",
        [f"{FIGURES}:{line(FIGURES, 'def before_after')}: not valid Python: expected ':'"],
    ),
    Planted(
        "a syntax error in a second solution", ALTERNATIVE, "def centre(x):", "def centre(x)",
        [f"{ALTERNATIVE}:6: not valid Python: expected ':'"], blocks=False,
    ),
    Planted(
        "a second solution that lacks a function", ALTERNATIVE, "def standardise", "def standardize",
        [f"{ALTERNATIVE}: defines no standardise, which task standardise asks for"], blocks=False,
    ),
    Planted(
        "a banned call in a second solution", MANIFEST, 'libraries = ["numpy"]\n', 'libraries = ["numpy"]\nbanned = ["numpy.stack"]\n',
        [f"{ALTERNATIVE}:{at} uses numpy.stack, which this assignment asks you to write yourself" for at in (10, 16)], blocks=False,
    ),
    Planted(
        "a library that submissions lack", REFERENCE, "import numpy as np\n", "import numpy as np\nimport scipy\n",
        [f"{REFERENCE}:4: imports scipy, which a submission can't; the manifest's libraries are numpy"], blocks=False,
    ),
    Planted(
        "a function that is not defined", MANIFEST, 'functions = ["centre"]', 'functions = ["centre", "scale"]',
        [
            f"{REFERENCE}: task centre names scale, which is not defined",
            f"{README}:{TASK_1}: the section of task centre does not name `scale`, which the task asks for",
            f"{ALTERNATIVE}: defines no scale, which task centre asks for",
        ],
    ),
    Planted(
        "a block without its end", REFERENCE, "    # END SOLUTION standardise\n", "",
        [f"{REFERENCE}:{line(REFERENCE, 'BEGIN SOLUTION standardise')}: BEGIN SOLUTION standardise has no END SOLUTION"],
    ),
    Planted(
        "figures of another module", FIGURES, 'main("scaling")', 'main("other")',
        [f'{FIGURES}:{line(FIGURES, "main(")}: must end with main("scaling"), which draws from scaling.py'], blocks=False,
    ),
]  # fmt: skip


def said_of(root: Path, faults: list[str]) -> list[str]:
    return [fault.replace(f"{root}/", "") for fault in faults]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name.replace(" ", "-"))
def test_each_slip_has_its_line(kit, planted):
    """Exactly these lines, in well under a second; those that make grades wrong stop grade and bundle."""
    planted.plant(kit)
    assignment = load_assignment(kit, "scaling")
    entries = kit / ENTRIES
    expected = [text.replace("{ENTRY}", f"{ENTRIES}:{number_of(entries, 'planted_edit')}") for text in planted.said]

    begun = time.process_time()
    faults = static_faults(assignment)
    took = time.process_time() - begun

    assert sorted(said_of(kit, faults)) == sorted(expected)
    assert took < 1.0
    blocking = said_of(kit, bundle_faults(assignment))
    assert bool(blocking) == planted.blocks and set(blocking) <= set(expected)


def number_of(path: Path, part: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((number for number, found in enumerate(lines, 1) if part in found), 0)


def test_all_slips_are_said_at_once(kit):
    """Five in five files are five lines, the ones that make grades wrong first."""
    chosen = {
        "a hint that is the missing line",
        "an unknown fixture, twice",
        "a syntax error in the figures",
        "wrong minutes in the handout",
        "a block without its end",
    }
    for planted in PLANTED:
        if planted.name in chosen:
            planted.plant(kit)

    said = said_of(kit, static_faults(load_assignment(kit, "scaling")))

    assert len(said) == 5 and "minutes" in said[3] + said[4] and "hint" in said[3] + said[4]


@pytest.mark.parametrize("file", [README, REFERENCE, HIDDEN, PUBLIC, FIGURES, ALTERNATIVE, STUB, NOTEBOOK])
def test_a_file_that_is_not_utf8_is_one_line(kit, file):
    """The file and the byte; a generated file is stale."""
    text = "# Überblick\n" + (kit / file).read_text(encoding="utf-8")
    (kit / file).write_bytes(text.encode("latin-1", "replace"))

    said = said_of(kit, static_faults(load_assignment(kit, "scaling")))

    generated = file in (STUB, NOTEBOOK)
    assert said == [
        f"{file}: stale; run gradkit build scaling" if generated else f"{file}: not UTF-8 at byte 2; save it as UTF-8"
    ]


def test_a_manifest_that_is_no_toml_is_named_with_its_line(kit):
    """Before anything else can be read."""
    manifest = kit / MANIFEST
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("order = 100", "order = "), encoding="utf-8")

    with pytest.raises(AuthoringError, match=r"assignment\.toml:2: not TOML: Invalid value$"):
        load_assignment(kit, "scaling")


def test_a_draft_may_lack_what_a_released_assignment_has(kit):
    """The scaffold keeps its own rules: as a draft it has no fault, and released it has those that `draft:` lines name."""
    draft = load_assignment(kit, "scaling")
    manifest = kit / MANIFEST
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("draft = true", "draft = false"), encoding="utf-8")

    assert static_faults(draft) == []
    gaps = said_of(kit, release_gaps(draft))
    assert gaps == [
        f"{MANIFEST}: 2 tasks; a released assignment has 4 to 9",
        "solutions/scaling/mistakes: 3 mistakes; a released assignment knows 12 or more",
    ]
    assert said_of(kit, static_faults(load_assignment(kit, "scaling"))) == gaps


def test_a_draft_is_told_of_every_part_that_is_missing(kit):
    """Figures, notes, second solutions; and what still says TODO."""
    (kit / FIGURES).unlink()
    (kit / "solutions/scaling/notes.md").unlink()
    (kit / ASKED).unlink()
    (kit / ALTERNATIVE).unlink()
    with open(kit / README, "a", encoding="utf-8") as file:
        file.write("\nTODO: sources\n")
    last = len((kit / README).read_text(encoding="utf-8").splitlines())

    gaps = said_of(kit, release_gaps(load_assignment(kit, "scaling")))

    assert gaps[:4] == [
        f"{FIGURES}: missing; it draws from the student's own code",
        "solutions/scaling/notes.md: missing; it tells staff the conventions, tolerances and common errors",
        f"{ASKED}: missing; it lists the forms of what students are to find themselves, which stand nowhere in their bundle",
        "solutions/scaling/alternatives: holds no solution in another style, which must get full marks",
    ]
    assert gaps[-1] == f"{README}:{last}: still says TODO"


def test_what_grading_asks_is_cheap(monkeypatch):
    """Files are read, and nothing is wrong with those here; no mistake is put together and compiled, which takes most of it."""
    monkeypatch.setattr(EditedMistake, "patch", lambda mistake: pytest.fail(f"{mistake.name} was put together"))

    assert [fault for assignment in load_all(ROOT) for fault in grading_faults(assignment)] == []


# ---- the command line


def one_line(done: subprocess.CompletedProcess) -> str:
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr.strip().splitlines()[-1]


def slip(name: str) -> Planted:
    return next(planted for planted in PLANTED if planted.name == name)


def test_grade_and_bundle_refuse_and_list_and_build_warn(gradkit, kit, tmp_path):
    """By name: the first fault, how many more, and the command that shows them all."""
    slip("points that sum to 95").plant(kit)
    first = f"{kit}/{MANIFEST}: the tasks' points add up to 95, not 100; change their points"
    more = " (and 2 more; run gradkit verify scaling)"
    work = tmp_path / "scaling.py"
    work.write_text("", encoding="utf-8")

    graded = gradkit("grade", "scaling", work, "--out", tmp_path / "out", "--root", kit)
    bundled = gradkit("bundle", "student", "scaling", "--out", tmp_path / "course.zip", "--root", kit)
    listed = gradkit("list", "--root", kit)
    built = gradkit("build", "--root", kit)

    assert (graded.returncode, bundled.returncode) == (2, 2)
    assert one_line(graded) == one_line(bundled) == f"gradkit: {first}{more}"
    assert not (tmp_path / "out").exists() and not (tmp_path / "course.zip").exists()
    assert listed.returncode == 0 and one_line(listed) == f"warning: {first}{more}"
    assert "Centre and scale features (draft)" in listed.stdout
    assert built.returncode == 0 and f"warning: {first}\n" in built.stderr and built.stderr.count("warning:") == 3


def test_bundle_refuses_a_stale_notebook(gradkit, kit, tmp_path):
    """Students would work from it; a grade does not depend on it."""
    slip("a stale notebook").plant(kit)

    done = gradkit("bundle", "student", "scaling", "--out", tmp_path / "course.zip", "--root", kit)

    assert done.returncode == 2
    assert one_line(done) == f"gradkit: {kit}/{NOTEBOOK}: stale; run gradkit build scaling"
    assert grading_faults(load_assignment(kit, "scaling")) == []


def test_build_names_the_line_of_a_syntax_error(gradkit, kit):
    """In a check as in the reference: one line, and no traceback."""
    (kit / PUBLIC).write_text("def test(:\n", encoding="utf-8")

    done = gradkit("build", "--root", kit)

    assert done.returncode == 2 and one_line(done) == f"gradkit: {kit}/{PUBLIC}:1: not valid Python: invalid syntax"


@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("numpy", "numpy is a library that the course uses, and the two would hide each other"),
        ("torch", "torch is a library that the course uses, and the two would hide each other"),
        ("class", "class is a word of Python's"),
        ("json", "json is a module of Python's, and the two would hide each other"),
        ("typer", "typer is a module installed here, and the two would hide each other"),
        ("figures", "figures.py has a meaning of its own to pytest or the kit"),
        ("test_x", "test_x.py has a meaning of its own to pytest or the kit"),
    ],
)
def test_new_refuses_a_name_that_is_taken(kit, id, said):
    """A module of the same name would be hidden, or hide this one."""
    with pytest.raises(
        InputError, match=f"^an assignment can't be called {id}: {said}; choose another id such as my_{id}$"
    ):
        new_assignment(kit, id)
    assert not (kit / "assignments" / id).exists()


@pytest.mark.parametrize(
    "tasks", [["a", "a"], ["Encode"], ["def"], [""], ["two words"], ["glow"], list("abcdefghijklmnopqrstu")]
)
def test_new_refuses_tasks_that_can_not_be_functions(kit, tasks):
    """One line; nothing is written."""
    with pytest.raises(InputError, match="^--tasks"):
        new_assignment(kit, "glow", tasks=tasks)
    assert not (kit / "assignments" / "glow").exists()


# ---- an assignment with tasks of one's own


@pytest.fixture
def glow(kit):
    """A scaffold with three tasks, in a kit that has oracles and tests of its handouts."""
    for name in ("oracles", "handouts"):
        (kit / "tests" / name).mkdir(parents=True)
    new_assignment(kit, "glow", tasks=["warm_up", "encode", "decode"])
    return load_assignment(kit, "glow")


def test_a_scaffold_of_named_tasks_is_whole(glow):
    """No fault; 100 points; every file that an assignment has, an oracle and a test of its handout that pass."""
    root = glow.public.parent.parent

    assert static_faults(glow) == []
    assert [task.points for task in glow.manifest.tasks] == [34, 33, 33]
    assert "assignments/glow/README.md:3: still says TODO, and on 24 lines more" in said_of(root, release_gaps(glow))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", root / "tests"],
        capture_output=True,
        text=True,
        cwd=root,
        timeout=120,
    )
    assert done.returncode == 0 and "6 passed" in done.stdout, done.stdout


# ---- the students' setting


def test_a_scaffold_works_where_students_work(glow):
    """Its public checks pass and its figures are drawn, with the reference in the stub's place."""
    assert rehearse(glow) == []


def test_a_wrong_public_check_and_a_figure_that_raises_are_found(kit):
    """Each by its file and line in the kit, and by what happened."""
    public, figures = kit / PUBLIC, kit / FIGURES
    text = public.read_text(encoding="utf-8").replace("[-1.0, -10.0]", "[-2.0, -10.0]")
    public.write_text(text.replace("np.ones(4)", "gone(4)"), encoding="utf-8")
    figures.write_text(
        figures.read_text(encoding="utf-8").replace("impl.standardise(x)", "impl.standardise(x[0])"), encoding="utf-8"
    )
    lines = public.read_text(encoding="utf-8").splitlines()
    by_hand, ones = (next(n for n, found in enumerate(lines, 1) if part in found) for part in ("[-2.0", "gone"))

    said = said_of(kit, rehearse(load_assignment(kit, "scaling")))

    where = "fails on the reference in the students' folder"
    assert len(said) == 3
    assert said[0].startswith(f"{PUBLIC}:{by_hand}: test_centre_by_hand {where}: ")
    assert said[1] == (
        f"{PUBLIC}:{ones}: test_standardised_features_have_unit_variance {where}: NameError: name 'gone' is not defined"
    )
    assert said[2].startswith(f"{FIGURES}: failed on the reference in the students' folder: before_after, scaling.py:")
    assert said[2].endswith("ValueError: x must have shape (n, f), got (2,)")


def test_a_part_of_a_figure_that_is_left_out_is_found(kit):
    """On the reference nothing may wait for a function."""
    figures = kit / FIGURES
    text = figures.read_text(encoding="utf-8").replace("import figure, main", "import figure, if_written, main")
    part = "    with if_written(axes[0]):\n        raise NotImplementedError\n    return drawing"
    figures.write_text(text.replace("    return drawing", part), encoding="utf-8")

    (said,) = said_of(kit, rehearse(load_assignment(kit, "scaling")))

    assert said == (
        f"{FIGURES}: on the reference in the students' folder, before_after is drawn without the parts that wait for before_after"
    )


SNIPPETS = """
```python
wide = np.array([[1.0], [3.0]])
print(centre(wide))
```

<details><summary>Hint 1: a fence of another language is no snippet</summary>

```
pytest --task centre
```

</details>

  ```python
  assert standardise(wide).shape == (2, 1), "names of the same section are there"
  1 / 0
  ```

"""


def test_a_snippet_that_raises_is_found(kit):
    """As pasted into the finished module: a section's blocks one after the other, another section's without their names."""
    readme = kit / README
    text = readme.read_text(encoding="utf-8")
    text = text.replace("## Task 2", f"{SNIPPETS}\n## Task 2").replace(
        "print(standardise(", "print(wide)\nprint(standardise("
    )
    readme.write_text(text + "\n```python\nfor:\n```\n", encoding="utf-8")
    at = {part: next(n for n, found in enumerate(readme.read_text(encoding="utf-8").splitlines(), 1) if part in found)
          for part in ("1 / 0", "print(wide)", "for:")}  # fmt: skip

    said = said_of(kit, rehearse(load_assignment(kit, "scaling")))

    fails = "the snippet fails on the reference in the students' folder"
    assert said == [
        f"{README}:{at['1 / 0']}: {fails}: ZeroDivisionError: division by zero",
        f"{README}:{at['print(wide)']}: {fails}: NameError: name 'wide' is not defined",
        f"{README}:{at['for:']}: {fails}: SyntaxError: invalid syntax",
    ]


@pytest.mark.parametrize("code", ["while True: pass", "import os; os._exit(3)"])
def test_a_snippet_that_does_not_return_is_named(kit, code):
    """Its place, whether it goes on and on or ends the interpreter."""
    readme = kit / README
    text = readme.read_text(encoding="utf-8") + f"\n```python\n{code}\n```\n"
    readme.write_text(text, encoding="utf-8")

    said = said_of(kit, rehearse(load_assignment(kit, "scaling"), limit_s=8))

    assert len(said) == 1 and said[0].startswith(f"{README}:{len(text.splitlines()) - 1}: ")
    assert "does not end" in said[0] if "while" in code else "break off" in said[0]


@pytest.mark.parametrize("module", ["gradkit.model", "test_hidden", "solutions.scaling"])
def test_nothing_of_the_kits_can_be_imported_there(kit, module):
    """Neither the engine, installed as it may be, nor the solutions."""
    public, figures = kit / PUBLIC, kit / FIGURES
    hidden = f'__import__("{module}")'
    for path in (public, figures):
        path.write_text(
            path.read_text(encoding="utf-8").replace("import numpy as np\n", f"import numpy as np\n{hidden}\n")
        )
    at = next(n for n, found in enumerate(figures.read_text(encoding="utf-8").splitlines(), 1) if hidden in found)

    said = said_of(kit, rehearse(load_assignment(kit, "scaling")))

    assert said == [
        f"{PUBLIC}:4: can't be imported in the students' folder: ModuleNotFoundError: No module named '{module.partition('.')[0]}'",
        f"{FIGURES}:{at}: fails on the reference in the students' folder: ModuleNotFoundError: No module named '{module.partition('.')[0]}'",
    ]


def test_coursekit_is_the_bundles(kit):
    """Not the one that is installed where the author works."""
    path = kit / PUBLIC
    path.write_text(
        path.read_text(encoding="utf-8")
        + """

@number("2.p2")
@weight(0)
@tags("standardise")
def test_place(impl):
    \"\"\"Its folder stands beside the assignment's.\"\"\"
    import coursekit
    from pathlib import Path

    assert Path(coursekit.__file__).parents[1] == Path(__file__).parents[1]
    assert Path(impl.__file__).parent == Path(__file__).parent
""",
        encoding="utf-8",
    )

    assert rehearse(load_assignment(kit, "scaling")) == []


# ---- hidden checks in the plain process


@pytest.fixture
def hidden(kit):
    """Run the kit's hidden checks as its author would."""
    shutil.copyfile(ROOT / "solutions" / "conftest.py", kit / "solutions" / "conftest.py")

    def run(*arguments: object) -> subprocess.CompletedProcess:
        options = ["-q", "-p", "no:cacheprovider", "-p", "coursekit.plugin", "--import-mode=importlib"]
        command = [sys.executable, "-m", "pytest", *options, HIDDEN, *map(str, arguments)]
        return subprocess.run(command, cwd=kit, capture_output=True, text=True, timeout=120)

    return run


def test_hidden_checks_run_on_the_reference_and_on_a_file(hidden, kit, tmp_path):
    """With pytest's ordinary output: the check's line, what was observed, what was printed."""
    wrong = tmp_path / "wrong.py"
    text = (kit / REFERENCE).read_text(encoding="utf-8")
    wrong.write_text(text + "\n\ndef centre(x):\n    print('seen', x.shape)\n    return -x\n", encoding="utf-8")

    right, done = hidden(), hidden("--submission", wrong, "--task", "centre", "--seed", 3)

    assert right.returncode == 0 and "5 passed" in right.stdout, right.stdout
    assert done.returncode == 1 and "3 failed, 2 deselected" in done.stdout
    assert f"{HIDDEN}:{EACH + 2}: Mismatch" in done.stdout and "seen (2, 3)" in done.stdout
    assert "autograder/gradkit" not in done.stdout


def test_what_the_implementation_raises_is_shown_with_its_own_lines(hidden, kit):
    """The check's line, then the stub's; none of the engine's between."""
    done = hidden("--submission", kit / STUB, "-x")

    assert done.returncode == 1 and "raised by the implementation" in done.stdout
    assert 'scaling.py", line' in done.stdout and "task centre is not written yet" in done.stdout
    assert "autograder/gradkit" not in done.stdout


def test_a_submission_that_can_not_be_read_is_one_line(hidden, kit):
    """No such file, or no Python."""
    missing = hidden("--submission", "nowhere.py")
    (kit / "broken.py").write_text("def (", encoding="utf-8")
    broken = hidden("--submission", "broken.py", "-x")

    assert missing.returncode == 4 and "--submission nowhere.py: no such .py file" in missing.stderr
    assert broken.returncode == 1 and "broken.py:1: not valid Python: invalid syntax" in broken.stdout
