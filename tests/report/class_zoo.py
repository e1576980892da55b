"""Records of a class made by hand, with one of everything that can become of a submission."""

from __future__ import annotations

import csv
from pathlib import Path

from gradkit import results
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome
from gradkit.safetext import cell_text

ISOLATION = {"level": "separate-user", "landlock_abi": 7, "seccomp": True, "note": ""}
HOSTILE = "</td></p></script><script>window.hacked = 1</script><img src=x onerror='window.hacked=2'>\"'&amp;{{ 7*7 }}\x1b[31m\u202egnp\x00"

_CHECKS = {
    "1.1": Check("hidden:first", "1.1", "first", "centre", 40, True, "Columns have mean 0.", ("a", "b")),
    "1.2": Check("public:easy", "1.2", "easy", "centre", 10, False, "Shapes are kept."),
    "2.1": Check("hidden:second", "2.1", "second", "scale", 40, True, "Columns have variance 1."),
    "2.2": Check("hidden:device", "2.2", "device", "scale", 10, True, "The GPU agrees."),
}


def check(number: str) -> Check:
    return _CHECKS[number]


def case(outcome: Outcome = Outcome.PASSED, summary: str = "", **more: str) -> CaseResult:
    return CaseResult("", outcome, summary=summary, elapsed_s=0.25, **more)


def graded(name: str, cases: list[tuple[str, CaseResult]], *, status: str = "graded", **more: object) -> Graded:
    """A record with one or more cases for the named checks, in order; no result for the others."""
    found: dict[str, list[CaseResult]] = {number: [] for number in _CHECKS}
    for number, one in cases:
        found[number].append(one)
    return Graded(
        name,
        more.pop("assignment", "centre"),
        status,
        tuple(CheckResult(_CHECKS[number], tuple(some)) for number, some in found.items()),
        isolation=ISOLATION,
        elapsed_s=1.5,
        peak_mib=120.0,
        **more,
    )


def student(number: int, wrong: dict[str, list[CaseResult]], **more: object) -> Graded:
    """A student who passes all checks but those in `wrong`; the last check needs a device that was not there."""
    cases: list[tuple[str, CaseResult]] = []
    for name in ("1.1", "1.2", "2.1"):
        right = [case() for _ in _CHECKS[name].cases]
        cases += [(name, one) for one in wrong.get(name, right)]
    cases.append(("2.2", case(Outcome.NOT_RUN, "needs a GPU")))
    return graded(f"student{number:02d}", cases, **more)


def zoo() -> list[Graded]:
    """Eight graded to the end, and one each refused, not graded and interrupted."""
    doubled = case(
        Outcome.FAILED,
        "all of it is twice as large",
        mistake="doubled",
        hint="Your output is twice as large.",
    )
    crashed = case(Outcome.CRASHED, "the program crashed (SIGSEGV)")
    unwritten = case(Outcome.NOT_WRITTEN, "not written yet")
    return [
        student(1, {}),
        student(
            2,
            {"2.1": [case(Outcome.FAILED, "wrong in part")]},
            flags=("centre.py:4 uses torch.softmax, which this assignment asks you to write yourself",),
        ),
        student(3, {"1.1": [doubled, doubled]}),
        student(4, {"1.1": [doubled, doubled], "2.1": [case(Outcome.FAILED, "wrong")]}),
        student(5, {"1.1": [case(), case(Outcome.FAILED, "b is wrong", where="centre.py:7")]}),
        student(6, {"1.1": [unwritten, unwritten], "1.2": [unwritten], "2.1": [unwritten]}),
        student(7, {"2.1": [case(Outcome.TIMEOUT, "no answer within 3 s")]}),
        student(8, {"1.1": [crashed, crashed], "1.2": [crashed], "2.1": [crashed]}),
        graded("student09", [], status="refused", reason="no centre.py in it"),
        graded("student10", [], status="not_graded", reason="the reference fails too"),
        graded("student11", [("1.1", case())], complete=False),
    ]


def write_run(folder: Path, class_: list[Graded], *, submitters: str = "") -> None:
    """The folder that a run over this class leaves."""
    folder.mkdir(exist_ok=True)
    for one in class_:
        place = folder / one.submission
        place.mkdir()
        results.write(one, place)
    with open(folder / "grades.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["submission", "submitters"])
        for one in class_:
            writer.writerow([cell_text(one.submission), cell_text(submitters or f"{one.submission}@example.edu")])
