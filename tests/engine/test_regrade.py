"""A regrade writes what grading anew with the same seed writes, and runs only what the change can reach."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gradkit import results
from gradkit.digests import Digest, Digests
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome
from gradkit.runs import run_record
from gradkit.splice import Change, combine, not_run

pytestmark = pytest.mark.usefixtures("sandboxed")

SEED = 5
TOLERANT = ("+ 5.0)", "+ 5.0, tol=(1e-3, 1e-3))")  # of check 1.1
NEARLY = ("x - x.mean(axis=0)\n", "x - x.mean(axis=0) * 1.00001\n")  # wrong by what that tolerance allows


def rows(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "grades.csv", encoding="utf-8", newline="") as file:
        return {row["submission"]: row for row in csv.DictReader(file)}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory, reference_source, mistaken, scaling) -> Path:
    """A class: right, with a known mistake in each task, with both, nearly right, half written, and no Python."""
    folder = tmp_path_factory.mktemp("class") / "in"
    folder.mkdir()
    half = reference_source.replace(
        "return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)",
        'raise NotImplementedError("task standardise is not written yet")',
    )
    for name, text in {
        "student01": reference_source,
        "student02": mistaken("centre_over_examples"),
        "student03": mistaken("unbiased_variance"),
        "student04": mistaken("centre_over_examples", "unbiased_variance"),
        "student05": reference_source.replace(*NEARLY),
        "student06": half,
        "student07": "def def",
    }.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def graded(gradkit, small_kit, handed_in, tmp_path_factory) -> Path:
    """The class, graded with the kit as it is."""
    out = tmp_path_factory.mktemp("graded") / "run"
    done = gradkit("grade", "scaling", handed_in, "--out", out, "--root", small_kit, "--seed", SEED)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def regrade(gradkit, kit, graded, tmp_path):
    """Regrade the class with the changed kit; what was printed, and the new run's folder."""

    def run(*more: object, old: Path = graded, out: Path | None = None):
        out = out or tmp_path / "new"
        done = gradkit("regrade", old, "--out", out, "--root", kit, "--reason", "it was wrong", *more)
        return done, out

    return run


def how(out: Path) -> dict[str, str]:
    """What was done with each student."""
    found = {path.parent.name: results.read(path.parent) for path in out.glob("*/graded.json")}
    return {name.removeprefix("student0"): graded.regraded for name, graded in sorted(found.items())}


def compared(out: Path) -> dict[str, Graded]:
    """The grades without what differs between two runs of the same: times, and how they came about."""
    found = {}
    for path in out.glob("*/graded.json"):
        graded = results.read(path.parent)
        checks = tuple(
            replace(one, cases=tuple(replace(case, elapsed_s=0.0) for case in one.cases)) for one in graded.results
        )
        found[graded.submission] = replace(
            graded, results=checks, elapsed_s=0.0, worker_cpu_s=0.0, peak_mib=0.0, regraded=""
        )
    return found


HIDDEN, REFERENCE = "solutions/scaling/test_hidden.py", "solutions/scaling/scaling.py"
PUBLIC, MANIFEST = "assignments/scaling/test_scaling.py", "assignments/scaling/assignment.toml"
KEPT, PART = "kept", "in part: "

EDITS = {
    # a tolerance in task 1: who failed there is graded anew, whoever fails elsewhere is not
    "tolerance": ([(HIDDEN, *TOLERANT)], {"1": f"{PART}1.1", "3": f"{PART}1.1", "6": f"{PART}1.1"}, "245"),
    # a check of task 2: whoever fails in task 2 is graded anew, also where that check was not written
    "data": ([(HIDDEN, "size=(3, 4)", "size=(4, 4)")], {"1": f"{PART}2.1", "2": f"{PART}2.1", "6": f"{PART}2.1"}, "34"),
    "reference": ([(REFERENCE, "(x - x.mean(axis=0)) / np", "(x - x.mean(axis=0)) * 1.0 / np")], dict.fromkeys("126", f"{PART}2.p1, 2.1, 2.2"), "34"),
    "points": (
        [(HIDDEN, "@weight(30)\n@tags(\"standardise\")", "@weight(40)\n@tags(\"standardise\")"),
         (HIDDEN, "@weight(20)", "@weight(10)")],
        dict.fromkeys("123456", KEPT), "",
    ),
    "claim": ([(HIDDEN, "Every feature loses its own mean", "Each feature loses its mean")], dict.fromkeys("123456", KEPT), ""),
    "comment": ([(HIDDEN, "import pytest\n", "import pytest  # as ever\n")], dict.fromkeys("123456", KEPT), ""),
    "handout": ([("assignments/scaling/README.md", "mean", "average"), ("assignments/scaling/figures.py", "import", "# see\nimport")], dict.fromkeys("123456", KEPT), ""),
    "hint": (
        [("solutions/scaling/mistakes/centre.toml", "Each row of your result", "Every row of it")],
        {"1": KEPT, "3": KEPT, "6": KEPT}, "245",
    ),
    "new check": (
        [(HIDDEN, "@weight(20)", "@weight(10)"),
         (HIDDEN, "@number(\"2.2\")", "@number(\"2.3\")\n@weight(10)\n@tags(\"standardise\")\n"
          "def test_one_row(agree, rng):\n    \"\"\"One row is all zeros.\"\"\"\n    agree(\"standardise\", rng.normal(size=(1, 2)))\n\n\n@number(\"2.2\")")],
        {"1": f"{PART}2.3", "2": f"{PART}2.3", "6": f"{PART}2.3"}, "34",
    ),
    "limit": ([(MANIFEST, "timeout_s = 1", "timeout_s = 2")], {}, "2345"),
}  # fmt: skip


@pytest.mark.parametrize("edits, shortened, in_full", EDITS.values(), ids=EDITS)
def test_a_regrade_is_what_grading_anew_would_be(gradkit, kit, handed_in, regrade, tmp_path, edits, shortened, in_full):
    """To the last hint, and with no more than was due: who had nothing to do with it is kept, or has that check run alone."""
    for file, old, new in edits:
        edit(kit / file, old, new)

    done, out = regrade()
    again = gradkit("grade", "scaling", handed_in, "--out", tmp_path / "again", "--root", kit, "--seed", SEED)

    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    assert compared(out) == compared(tmp_path / "again")
    texts = {name: (out / name / "results.json").read_text() for name in rows(out)}
    for name, text in texts.items():
        one, other = json.loads(text), json.loads((tmp_path / "again" / name / "results.json").read_text())
        assert {**one, "execution_time": 0} == {**other, "execution_time": 0}
    done_with = how(out)
    assert {name: done_with[name] for name in shortened} == shortened
    assert all(done_with[name].startswith("in full: ") for name in in_full)
    assert rows(out) == rows(tmp_path / "again")


def test_it_says_what_was_done_and_why(regrade, kit, graded):
    """How many were kept, run in part and in full; the reason is in run.json; the earlier run stays as it was."""
    before = {path: path.read_bytes() for path in sorted(graded.rglob("*")) if path.is_file()}
    edit(kit / HIDDEN, *TOLERANT)

    done, out = regrade()

    assert "changed since" in done.stderr and "hidden:test_each_feature_is_centred_by_itself" in done.stderr
    assert "0 kept as they were, 3 with the changed checks run again, 4 graded anew in full" in done.stdout
    assert "check 1.1 did not pass (student02, student04, student05)" in done.stdout
    assert rows(out)["student05"]["score"] == "90" and rows(graded)["student05"]["score"] == "60"
    (regraded,) = run_record(out).regrades
    assert (regraded.earlier, regraded.reason) == (str(graded), "it was wrong")
    assert run_record(out).seed == SEED
    assert before == {path: path.read_bytes() for path in sorted(graded.rglob("*")) if path.is_file()}


def test_a_regrade_can_be_regraded(regrade, kit, tmp_path):
    """Its results stand for the checks as they were then; both reasons are kept."""
    edit(kit / HIDDEN, *TOLERANT)
    _, first = regrade()
    edit(kit / HIDDEN, "size=(3, 4)", "size=(4, 4)")

    done, second = regrade(old=first, out=tmp_path / "second")

    assert done.returncode == 0 and how(second)["2"] == "in part: 2.1"
    assert [one.earlier for one in run_record(second).regrades][1] == str(first)


def test_other_files_are_told_and_graded_anew(gradkit, kit, graded, handed_in, tmp_path):
    """Files that are not those that were graded, a submission that is new, and one that is not there any more."""
    moved = tmp_path / "moved"
    shutil.copytree(handed_in, moved)
    (moved / "student02.py").write_bytes((moved / "student01.py").read_bytes())
    (moved / "student08.py").write_bytes((moved / "student01.py").read_bytes())
    (moved / "student03.py").unlink()
    out = tmp_path / "new"

    done = gradkit("regrade", graded, moved, "--out", out, "--root", kit, "--reason", "moved")

    assert done.returncode == 1
    assert "its files are not those that were graded (student02)" in done.stdout
    assert "it is not in the earlier run (student08)" in done.stdout
    table = rows(out)
    assert (table["student02"]["score"], table["student08"]["score"]) == ("100", "100")
    assert (table["student03"]["status"], table["student03"]["score"]) == ("not_graded", "")
    assert "its files are not there any more" in table["student03"]["reason"]
    assert how(out)["1"] == "kept"


def test_who_was_refused_or_not_graded_is_tried_anew(gradkit, kit, handed_in, graded, tmp_path):
    """Whatever else has changed, or not."""
    old = tmp_path / "old"
    shutil.copytree(graded, old)
    for name, changed in {
        "student01": {"status": "not_graded", "reason": "the reference fails too"},
        "student02": {"complete": False},
        "student03": {"flags": ("not explained: ValueError in the judge: x",)},
    }.items():
        results.write(replace(results.read(old / name), **changed), old / name)

    done = gradkit("regrade", old, "--out", tmp_path / "new", "--root", kit, "--reason", "try again")

    assert done.returncode == 0
    found = how(tmp_path / "new")
    assert [found[name].partition(": ")[0] for name in "1234"] == ["in full", "in full", "in full", "kept"]
    assert rows(tmp_path / "new")["student01"]["score"] == "100"


def test_an_interrupted_regrade_goes_on(regrade, kit, graded):
    """What it had done stands; the reason stays; what was killed in the middle is done again."""
    edit(kit / HIDDEN, *TOLERANT)
    _, out = regrade()
    before = compared(out)
    stamp = (out / "student01" / "graded.json").stat().st_mtime_ns
    shutil.rmtree(out / "student02")
    (out / "student03" / "graded.json").write_text("{")
    (out / "grades.csv").unlink()

    done, _ = regrade("--resume", "--reason", "")

    assert done.returncode == 0, done.stderr
    assert compared(out) == before and len(rows(out)) == 7
    assert (out / "student01" / "graded.json").stat().st_mtime_ns == stamp
    assert [one.reason for one in run_record(out).regrades] == ["it was wrong"]


def test_a_run_without_digests_is_graded_anew(regrade, kit, graded, tmp_path):
    """A run of an older kit says nothing of what decided it."""
    old = tmp_path / "old"
    shutil.copytree(graded, old)
    record = msgspec.structs.replace(run_record(old), digests=Digests())
    (old / "run.json").write_bytes(msgspec.json.encode(record))

    done, out = regrade(old=old)

    assert "does not say what its checks were" in done.stderr
    assert [name for name, kind in how(out).items() if kind.startswith("in full")] == list("123456")
    assert compared(out) == compared(graded)


def test_a_resumed_run_of_two_engines_says_nothing_of_its_checks(gradkit, kit, graded, handed_in, tmp_path):
    """What one version decided and what another one did could not be told apart later."""
    old = tmp_path / "old"
    shutil.copytree(graded, old)
    record = run_record(old)
    checks = {id: Digest("other", one.near) for id, one in record.digests.checks.items()}
    (old / "run.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(record, digests=Digests(checks))))

    done = gradkit("grade", "scaling", handed_in, "--out", old, "--root", kit, "--resume")

    assert done.returncode == 0 and run_record(old).digests == Digests()


def test_bad_usage_is_a_line(gradkit, kit, graded, handed_in, tmp_path):
    """No reason, no folder, no run, sources that are gone, a folder in use, another regrade: exit code 2, nothing written."""
    gone = tmp_path / "gone"
    shutil.copytree(graded, gone)
    record = run_record(gone)
    (gone / "run.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(record, sources=["/nowhere/in"])))
    nothing = tmp_path / "nothing"
    shutil.copytree(graded, nothing)
    (nothing / "run.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(record, sources=[])))
    new = tmp_path / "new"
    why = ("--reason", "x")
    for arguments, said in (
        ((graded, "--out", new), "--reason is missing"),
        ((graded, *why), "--out is missing"),
        ((tmp_path, "--out", new, *why), "holds no run"),
        ((gone, "--out", new, *why), "/nowhere/in, which"),
        ((nothing, "--out", new, *why), "does not say where its submissions were"),
        ((graded, "--out", graded, *why), "holds an earlier run of scaling"),
        ((graded, "--out", graded, *why, "--resume"), "holds another run than a regrade of"),
        ((graded, tmp_path / "no", "--out", new, *why), "check the path"),
    ):
        done = gradkit("regrade", *arguments, "--root", kit)
        assert done.returncode == 2 and said in done.stderr.strip().splitlines()[-1], done.stderr
    assert not new.exists()


def test_what_a_device_gave_stays_without_one(gradkit, kit, handed_in, tmp_path):
    """Also where the rest is graded anew in full; not where the change reaches that very check."""
    edit(kit / HIDDEN, '@number("2.2")', '@pytest.mark.gpu\n@number("2.2")')
    edit(kit / HIDDEN, "test_eps_is_inside_the_root(agree, rng)", "test_eps_is_inside_the_root(agree, rng, device)")
    old, run = tmp_path / "old", ("--root", kit, "--reason", "x")
    assert gradkit("grade", "scaling", handed_in, "--out", old, "--root", kit, "--seed", SEED).returncode == 0
    for path in old.glob("*/graded.json"):  # as a merge with a run on a device leaves it
        graded = results.read(path.parent)
        cases = [[replace(c, outcome=Outcome.PASSED) if c.outcome is Outcome.NOT_RUN else c for c in r.cases] for r in graded.results]  # fmt: skip
        found = tuple(replace(r, cases=tuple(c)) for r, c in zip(graded.results, cases, strict=True))
        results.write(replace(graded, results=found), path.parent)

    edit(kit / HIDDEN, *TOLERANT)
    gradkit("regrade", old, "--out", tmp_path / "new", *run)
    edit(kit / HIDDEN, "eps=1e-2", "eps=1e-3")
    gradkit("regrade", tmp_path / "new", "--out", tmp_path / "newer", *run)

    table, later = rows(tmp_path / "new"), rows(tmp_path / "newer")
    assert how(tmp_path / "new")["5"].startswith("in full") and how(tmp_path / "new")["1"] == "in part: 1.1"
    assert {(row["max_score"]) for row in table.values()} == {"100"}
    assert (later["student01"]["score"], later["student01"]["max_score"]) == ("80", "80")


# ---- what is taken from an earlier grade

QUIET = CaseResult("", Outcome.PASSED)
WRONG = CaseResult("", Outcome.FAILED, mistake="known", hint="Look.")


def check(name: str, task: str) -> Check:
    return Check(f"hidden:{name}", name, name, task, 1.0, True, "")


A, B, C = check("a", "one"), check("b", "two"), check("c", "three")


def digests_of(**near: str) -> Digests:
    return Digests({f"hidden:{name}": Digest(name, frozenset(names.split())) for name, names in near.items()})


def changed(before: Digests, *names: str) -> Digests:
    """The same with other digests for these."""
    return Digests(
        {id: Digest("new", one.near) if id[7:] in names else one for id, one in before.checks.items()},
        before.mistakes,
    )


def record(*cases: CaseResult, flags: tuple[str, ...] = ()) -> Graded:
    found = tuple(CheckResult(check, (case,)) for check, case in zip((A, B, C), cases, strict=True))
    return Graded("student01", "x", "graded", found, flags=flags)


APART = digests_of(a="f", b="g", c="h")
CLOSE = digests_of(a="f helper", b="g helper", c="h")


@pytest.mark.parametrize(
    ("before", "now", "cases", "rerun"),
    [
        (APART, changed(APART, "a"), (QUIET, QUIET, QUIET), "a"),
        (APART, changed(APART, "a"), (QUIET, WRONG, QUIET), "a"),  # nothing in common: the hint stands
        (CLOSE, changed(CLOSE, "a"), (QUIET, WRONG, QUIET), None),  # a could refute what b is explained with
        (CLOSE, changed(CLOSE, "a"), (QUIET, QUIET, WRONG), "a"),
        (APART, changed(APART, "b"), (QUIET, WRONG, QUIET), None),
        (
            digests_of(a="f", b="g", c="h"),
            digests_of(a="f", b="f g", c="h"),
            (WRONG, QUIET, QUIET),
            None,
        ),  # b's new reach
        (
            digests_of(a="f", b="f g", c="h"),
            digests_of(a="f", b="g", c="h"),
            (WRONG, QUIET, QUIET),
            None,
        ),  # b's old reach
        (APART, changed(APART, "a"), (QUIET, replace(QUIET, outcome=Outcome.NOT_WRITTEN), QUIET), "a"),
        (
            CLOSE,
            changed(CLOSE, "a"),
            (QUIET, replace(QUIET, outcome=Outcome.TIMEOUT), QUIET),
            None,
        ),  # a is given less time
        (APART, APART, (QUIET, WRONG, WRONG), ""),
    ],
)
def test_a_hint_is_kept_only_where_the_change_has_no_say(before, now, cases, rerun):
    """Checks of other tasks, which reach nothing that the failed ones reach, before or after: then, and only then."""
    plan = Change.between(before, now).plan(record(*cases), [A, B, C])

    if rerun is None:
        assert plan.why and not plan.rerun
    else:
        assert not plan.why and [id[7:] for id in plan.rerun] == rerun.split()


def test_a_check_of_the_same_task_always_has_a_say():
    """The line to look at is one with which all checks of the task pass."""
    same = replace(B, task="one")
    found = replace(record(QUIET, WRONG, QUIET), results=(CheckResult(A, (QUIET,)), CheckResult(same, (WRONG,))))
    before = digests_of(a="f", b="g")

    plan = Change.between(before, changed(before, "a")).plan(found, [A, same])

    assert plan.why == "check a may bear on what explains b"


def test_a_mistake_that_changed_concerns_who_fails_near_it():
    """Whoever passes there, or fails elsewhere, is kept."""
    before = Digests(APART.checks, {"known": Digest("old", frozenset({"g"}))})
    now = Digests(APART.checks, {"known": Digest("new", frozenset({"g"}))})
    change = Change.between(before, now)
    elsewhere = replace(WRONG, mistake="", hint="")

    assert change.plan(record(QUIET, elsewhere, QUIET), [A, B, C]).why
    assert change.plan(record(elsewhere, QUIET, WRONG), [A, B, C]).why  # it is told there
    assert not change.plan(record(elsewhere, QUIET, QUIET), [A, B, C]).why
    assert not change.plan(record(QUIET, QUIET, QUIET), [A, B, C]).why


def test_a_check_that_is_gone_counts_as_changed():
    """It may have refuted a mistake, and its points are gone."""
    now = digests_of(b="g", c="h")

    assert not Change.between(APART, now).plan(record(QUIET, QUIET, QUIET), [B, C]).why
    assert Change.between(APART, now).plan(record(WRONG, QUIET, QUIET), [B, C]).why


@pytest.mark.parametrize(
    "found",
    [
        record(QUIET, QUIET, QUIET, flags=("answers otherwise in a fresh process than in one it used before: each case "
                                           "was graded in a process of its own",)),
        record(QUIET, QUIET, QUIET, flags=("not explained: ValueError in the judge: x",)),
        replace(record(QUIET, QUIET, QUIET), results=record(QUIET, QUIET, QUIET).results[:2]),
        replace(record(QUIET, QUIET, QUIET), results=tuple(CheckResult(check) for check in (A, B, C))),
    ],
)  # fmt: skip
def test_a_record_that_says_less_than_all_is_not_used(found):
    """Of a submission whose answers depend on what it was asked before, one that was not explained, one that is not whole."""
    assert Change.between(APART, APART).plan(found, [A, B, C]).why


def test_a_case_that_can_not_run_here_stays_as_a_device_gave_it():
    """Unless the change reaches its check: then nobody knows."""
    device = record(QUIET, WRONG, QUIET)
    here = replace(device, results=not_run([A, B, C], device.results[:1]))
    untouched, touched = (Change.between(APART, now) for now in (APART, changed(APART, "b")))

    kept = combine(here, untouched.standing(device, [A, B, C]))
    lost = combine(here, touched.standing(device, [A, B, C]))

    assert [one.outcome for one in kept.results] == [Outcome.PASSED, Outcome.FAILED, Outcome.PASSED]
    assert [one.outcome for one in lost.results] == [Outcome.PASSED, Outcome.NOT_RUN, Outcome.PASSED]
