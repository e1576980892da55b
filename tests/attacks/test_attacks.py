"""Every hostile submission of the corpus gets no points, learns nothing, leaves nothing, and harms no one else's grade.

A file of `corpus/` is put on top of the reference of a small assignment. `centre` is hostile there and `standardise`
honest; an attack that gets through says ESCAPED in a public check, where prints are shown, or passes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gradkit import results
from gradkit.judge.isolation import FIRST_UID, UIDS, Isolation

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.py"))
CANARY = "CANARY-c0ffee"


def header(path: Path) -> dict:
    """The constants at the top of an attack's file, without running the attack."""
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(("NUMBER", "OUTCOMES", "SPARES", "NEEDS"))
    ]
    namespace: dict = {"SPARES_OTHER_TASKS": True}
    exec("\n".join(lines), namespace)
    return namespace


def processes() -> dict[int, tuple[int, int, bool]]:
    """Parent and user of every process, and whether it is a zygote or a worker. The owner of /proc/PID would not do: it is root for a process
    that can't be dumped, as workers are."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            status = dict(line.split(":\t", 1) for line in (entry / "status").read_text().splitlines() if ":\t" in line)
            found[int(entry.name)] = (
                int(status["PPid"]),
                int(status["Uid"].split()[0]),
                status["Name"].strip() == "gradkit-zygote",  # workers are called so too
            )
        except (OSError, ValueError):
            pass
    return found


def workers_of(judge: int) -> set[int]:
    """What is left of this judge's workers: descendants of its zygote, and whatever else runs as its user."""
    table = processes()
    below = {judge}
    while more := {pid for pid, (parent, _, _) in table.items() if parent in below} - below:
        below |= more
    below.discard(judge)
    zygotes = {pid for pid in below if table[pid][2] and not table.get(table[pid][0], (0, 0, False))[2]}
    zygotes |= {table[pid][0] for pid in zygotes} - {judge}  # bubblewrap's own processes
    users = {table[pid][1] for pid in zygotes} & set(range(FIRST_UID, FIRST_UID + UIDS))
    return (below | {pid for pid, (_, user, _) in table.items() if user in users}) - zygotes


def survivors(judge: int) -> set[int]:
    """Processes that are still there after a while."""
    deadline = time.monotonic() + 10
    while (left := workers_of(judge)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def isolation_line(graded) -> str:
    """The row of the isolation table, in words."""
    return Isolation(**graded.isolation).line()


@pytest.fixture(scope="session", autouse=True)
def secret_environment():
    """What a worker must not find: it is in the environment of everything that grades, the judge's too."""
    names = ("GRADKIT_TEST_SECRET", "PYTHON_TEST_SECRET")  # a judge is given the second
    for name in names:
        os.environ[name] = CANARY
    yield
    for name in names:
        del os.environ[name]


@pytest.mark.parametrize("path", CORPUS, ids=[path.stem for path in CORPUS])
def test_attack_gains_nothing(request, reference_source, path, record_property):
    """No point, no secret, no survivor; and the checks of the honest task still pass."""
    facts = header(path)
    if facts.get("NEEDS") == "cuda" and not (Path("/dev/nvidiactl").exists() or "GRADKIT_DEVICE" in os.environ):
        pytest.skip("not run: no CUDA device")
    fixtures = {"cuda": "grade_on_a_device", "torch": "grade_with_torch"}
    grade = request.getfixturevalue(fixtures.get(facts.get("NEEDS"), "grade_source"))

    graded = grade(f"{reference_source}\n\n{path.read_text(encoding='utf-8')}")

    told = "\n".join(results.explain(result) for result in graded.results)
    details = "\n".join(case.detail + case.summary for result in graded.results for case in result.cases)
    attacked = [case for result in graded.results if result.check.task == "centre" for case in result.cases]
    gained = {case.outcome.value for case in attacked} - set(facts["OUTCOMES"])
    if facts.get("NEEDS_LANDLOCK") and not graded.isolation["landlock_abi"]:
        told, details = told.replace("ESCAPED", "known"), details.replace("ESCAPED", "known")
    leaked = "ESCAPED" in told + details or CANARY in told + details
    left = survivors(grade.judge_pid)
    record_property("isolation", isolation_line(graded))
    record_property("succeeded", int(bool(gained)))
    record_property("leaked", int(leaked))
    record_property("survivors", len(left))
    assert graded.status == "graded", graded.reason
    assert {case.outcome.value for case in attacked} <= set(facts["OUTCOMES"]), [
        (case.outcome.value, case.summary) for case in attacked
    ]
    assert "ESCAPED" not in told + details, told
    assert CANARY not in told + details
    hidden = "\n".join(results.explain(result) for result in graded.results if result.check.hidden)
    assert "INPUT" not in hidden and "\x1b" not in told and "\0" not in told
    if facts["SPARES_OTHER_TASKS"]:
        honest = [result for result in graded.results if result.check.task == "standardise"]
        assert sum(result.score for result in honest) == 60, [results.explain(result) for result in honest]
    assert not left


def test_the_grader_is_unharmed_by_the_whole_corpus(grade_source, reference_source):
    """After every attack, in the same judge, the reference still gets full marks."""
    assert grade_source(reference_source).score == 100


def test_each_letter_is_covered():
    """The corpus holds attacks that construction, the operating system and the judge stop."""
    letters = {header(path)["BY"] for path in CORPUS if "BY" in header(path)}
    assert {"C", "S", "J"} <= letters and len(CORPUS) >= 20
