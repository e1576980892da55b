"""From what ended a case to its outcome, and to what a student may read of it."""

from __future__ import annotations

import types
from collections.abc import Collection

import pytest
from coursekit.checks import BROKEN_CLAIM, assertion_text
from coursekit.compare import Mismatch
from coursekit.costs import defines_no

from gradkit.errors import WorkerCrashed, WorkerError, WorkerTimeout
from gradkit.judge import wording
from gradkit.judge.subjects import LocalSubject, LocalTimeout, MissingName, SubmissionRaised
from gradkit.judge.submissions import SubmissionSubject, UnreadableAnswer
from gradkit.model import CaseResult, Outcome

WRONG_KINDS = frozenset({"type", "refused"})
"""Differences that make an answer one of the wrong kind. A shape or a dtype is as wrong as a value: the sentence on it says
what was due."""
MAX_DETAIL = 4000  # characters of a public check's detail that are kept


def describe(
    error: BaseException,
    subject: SubmissionSubject | LocalSubject,
    names: Collection[str],
    module: str,
    reference: types.ModuleType,
) -> CaseResult:
    """The outcome of a case that did not pass, and what a student may read of it.

    Args:
        error: What ended it, other than a fault of this machine's.
        subject: Who answered.
        names: Of the functions that the case asked for.
        module: Its file's name.
        reference: For the names of its functions' parameters.
    """
    if isinstance(error, SubmissionRaised):
        return _raised(error, subject, reference)
    if isinstance(error, MissingName):
        summary = defines_no(module, error.name)
        return CaseResult("", Outcome.FAILED, summary=summary)
    if isinstance(error, WorkerError):
        result = _broken_off(error)
        if not error.at_import:
            return result
        return CaseResult("", result.outcome, summary=wording.broken_off_at_import(error), unimportable=True)
    if isinstance(error, LocalTimeout):
        names = " and ".join(sorted(names)) or "your code"
        return CaseResult("", Outcome.TIMEOUT, summary=f"checking what {names} returned took too long")
    if isinstance(error, Mismatch):
        difference = error.difference
        outcome = Outcome.REJECTED if difference.kind in WRONG_KINDS else Outcome.FAILED
        return CaseResult("", outcome, summary=difference.summary, detail=difference.detail[:MAX_DETAIL])
    if isinstance(error, AssertionError):
        detail = "\n".join(text for text in assertion_text(error) if text not in ("", BROKEN_CLAIM))
        return CaseResult("", Outcome.FAILED, summary=BROKEN_CLAIM, detail=detail[:MAX_DETAIL])
    if isinstance(error, pytest.fail.Exception):
        return CaseResult("", Outcome.FAILED, summary=BROKEN_CLAIM, detail=str(error)[:MAX_DETAIL])
    # Any other exception was raised by the check itself, on an answer it could not use, or on what one of its
    # functions was called with; the judge makes sure that the reference does not cause it too.
    handed = getattr(error, "handed", None)
    if handed is not None:
        text = wording.called_wrongly(error, handed, reference)
    else:
        text = f"the check could not use what your code returned ({type(error).__name__})"
    return CaseResult("", Outcome.REJECTED, summary=text, detail=str(error)[:MAX_DETAIL])


def _raised(
    error: SubmissionRaised, subject: SubmissionSubject | LocalSubject, reference: types.ModuleType
) -> CaseResult:
    info = error.info
    line = subject.line if isinstance(subject, SubmissionSubject) else lambda file, number: ""
    where = f"{info.file}:{info.line}" if info.line else ""
    if info.at_import:  # before any input was there to be told
        summary = wording.raised_at_import(info)
        return CaseResult("", Outcome.FAILED, summary=summary, where=where, unimportable=True)
    if "NotImplementedError" in info.bases:
        return CaseResult("", Outcome.NOT_WRITTEN, summary="not written yet", where=where)
    return CaseResult(
        "",
        Outcome.FAILED,
        summary=wording.raised(error, reference, line),
        detail=info.message[:MAX_DETAIL],
        where=where,
        raised=f"{info.type_name} ({where})" if where else info.type_name,
    )


def _broken_off(error: WorkerError) -> CaseResult:
    """The outcome where the worker ended, or was ended."""
    if isinstance(error, WorkerTimeout):
        return CaseResult("", Outcome.TIMEOUT, summary=wording.timed_out(error))
    if isinstance(error, WorkerCrashed):
        return CaseResult("", Outcome.CRASHED, summary=str(error))
    if isinstance(error, UnreadableAnswer):
        text = "the answer holds something that is not read: neither numbers, text, plain containers, dense arrays nor tensors"
        return CaseResult("", Outcome.REJECTED, summary=text, detail=str(error))
    return CaseResult("", Outcome.REJECTED, summary=str(error))
