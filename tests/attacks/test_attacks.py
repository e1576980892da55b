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
from gradkit.judge.isolation import FIRST_UID, UIDS

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.py"))
CANARY = "CANARY-c0ffee"


def header(path: Path) -> dict:
    """The constants at the top of an attack's file, without running the attack."""
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(("NUMBER", "OUTCOMES", "SPARES"))
    ]
    namespace: dict = {"SPARES_OTHER_TASKS": True}
    exec("\n".join(lines), namespace)
    return namespace


def survivors() -> set[int]:
    """Processes of the workers' users that are still there after a while: other tests' workers end meanwhile."""
    deadline = time.monotonic() + 10
    left = processes_of_workers()
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left &= processes_of_workers()
    return left


def processes_of_workers() -> set[int]:
    """Processes that run as one of the workers' users, but for those of other graders on this machine."""
    parents, workers = {}, set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
                if FIRST_UID <= entry.stat().st_uid < FIRST_UID + UIDS:
                    workers.add(int(entry.name))
            except OSError:
                pass
    return {pid for pid in workers if not of_another_grader(pid, parents)}


def of_another_grader(pid: int, parents: dict[int, int]) -> bool:
    """Whether a process descends from a zygote that these tests did not start. What got away from one does not."""
    zygote = False
    while pid not in (os.getpid(), 0, 1) and pid in parents:
        pid = parents[pid]
        try:
            zygote = zygote or b"gradkit.worker.zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
    return zygote and pid != os.getpid()


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
def test_attack_gains_nothing(grade_source, reference_source, path):
    """No point, no secret, no survivor; and the checks of the honest task still pass."""
    facts = header(path)

    graded = grade_source(f"{reference_source}\n\n{path.read_text(encoding='utf-8')}")

    told = "\n".join(results.explain(result) for result in graded.results)
    details = "\n".join(case.detail + case.summary for result in graded.results for case in result.cases)
    attacked = [case for result in graded.results if result.check.task == "centre" for case in result.cases]
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
    if os.geteuid() == 0:
        assert not survivors()


def test_the_grader_is_unharmed_by_the_whole_corpus(grade_source, reference_source):
    """After every attack, in the same judge, the reference still gets full marks."""
    assert grade_source(reference_source).score == 100


def test_each_letter_is_covered():
    """The corpus holds attacks that construction, the operating system and the judge stop."""
    letters = {header(path)["BY"] for path in CORPUS if "BY" in header(path)}
    assert {"C", "S", "J"} <= letters and len(CORPUS) >= 20
