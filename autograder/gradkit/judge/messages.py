"""What the grading process and a judge process say to each other: one JSON value a line."""

from __future__ import annotations

import msgspec

from gradkit.model import CaseResult, Check

REPAIR_S = 2.0  # processor time for each submission to look for a wrong line, unless an instructor says otherwise

# Flags that say of a record more than its cases do.
STATE_KEPT = (
    "answers otherwise in a fresh process than in one it used before: each case was graded in a process of its own"
)
NOT_EXPLAINED = "not explained: "  # and why: the judge failed where it looked for hints


class Start(msgspec.Struct, tag=True):
    """Everything a judge needs to be ready for submissions to one assignment."""

    root: str
    assignment: str
    device: str = "cpu"
    answers: str = ""  # a folder in which this run's judges share what staff's code answers
    at_least: str = ""  # the weakest level of isolation to grade at; any that isolates when empty


class Unit(msgspec.Struct, tag=True):
    """One submission to run checks on, or staff's code in a submission's place."""

    module: str  # path of the submission's file, readable by workers
    seed: int
    checks: list[str] | None = None  # ids of those to run; all of them when None
    diagnose: bool = True  # look for the mistake behind a wrong answer
    repair_s: float = 0.0  # processor time to look for the wrong line where no known mistake explains the answers
    compare: bool = False  # tell of each case whether its answers were the reference's, and who else gives them
    staff: str = ""  # what is run in the judge's own process instead of a module: a mistake's name, `vandal:KIND` or `reference:`


class Ready(msgspec.Struct, tag=True):
    """The judge has read the assignment: its checks, and the isolation that they run at."""

    checks: list[Check]
    isolation: dict


class CaseDone(msgspec.Struct, tag=True):
    """One case. `anew`: the submission is graded from the start, and no earlier case counts any more."""

    check: str
    result: CaseResult
    anew: bool = False


class Explained(msgspec.Struct):
    """What a failed case comes from, known once all cases have run. Its fields are those of `CaseResult`."""

    check: str
    case: str
    hint: str = ""
    mistake: str = ""
    rivals: tuple[str, ...] = ()
    where: str = ""
    edit: str = ""
    blamed: str = ""


class UnitDone(msgspec.Struct, tag=True):
    """The submission is graded. `explained`: what its failed cases come from, as far as that is known."""

    worker_cpu_s: float
    peak_mib: float
    flags: list[str] = []
    explained: list[Explained] = []


class Fatal(msgspec.Struct, tag=True):
    """The judge can't go on. `usage`: the cause is in the instructor's input. `died`: the zygote ended under it."""

    message: str
    usage: bool = False
    died: bool = False


Request = Start | Unit
Event = Ready | CaseDone | UnitDone | Fatal
