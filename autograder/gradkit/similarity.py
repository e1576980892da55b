"""Pairs of submissions that are more alike than the task explains: something for a person to look at, never a score.

Code is compared by winnowing its tokens (Schleimer, Wilkerson and Aiken, *Winnowing: local algorithms for document
fingerprinting*, 2003), with the package copydetect: names, comments and layout don't matter, nor the order of functions.
What everybody was given or could not write otherwise is subtracted: the stub, the reference and the other solutions, and
whatever more than half of the class has.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from gradkit.errors import GradkitError, InputError
from gradkit.files import remove_tree
from gradkit.intake import discover, materialise
from gradkit.judges import scratch_folder
from gradkit.manifest import Assignment
from gradkit.model import Submitter
from gradkit.roster import Roster

if TYPE_CHECKING:
    from copydetect import CodeFingerprint

LENGTH = 25  # characters of normalized code in a row, about two statements: shorter agreement is noise
WINDOW = 6  # of these, one in so many is kept: agreement of LENGTH + WINDOW - 1 characters is always found
LEAST = 150  # characters of normalized code, about twelve lines, that a pair must share
SHARE = 0.4  # of what is left of the smaller submission
MOST = 20  # pairs that are told, the most alike first
LONGEST = 400_000  # characters of a submission; a longer one is not compared

Span = tuple[int, int]  # of characters in a submission's text, from the first to before the last


@dataclass(frozen=True)
class Pair:
    """Two submissions that are alike.

    Attributes:
        one, other: Their names.
        shares: What share of each is shared, of what is left after the subtraction.
        spans: Where, in the text of each.
        same: The two files hold the same text.
    """

    one: str
    other: str
    shares: tuple[float, float]
    spans: tuple[tuple[Span, ...], tuple[Span, ...]]
    same: bool = False


def compare_submissions(
    assignment: Assignment, paths: Sequence[Path], students: Sequence[Submitter]
) -> tuple[list[Pair], dict[str, str]]:
    """The pairs of different students among the submissions that `paths` stand for, and every submission's text.

    A submission that can't be read is in no pair, and neither are two of one student.

    Raises:
        InputError: When there is nothing in `paths`, or copydetect is not installed.
    """
    roster = Roster(students)
    texts: dict[str, str] = {}
    who: dict[str, set[Submitter]] = {}
    with scratch_folder() as scratch:
        for number, submission in enumerate(discover(paths, assignment.manifest).submissions):
            place = scratch / str(number)
            try:
                texts[submission.name] = materialise(submission, assignment.manifest, place).text
            except GradkitError:  # the run has told why
                continue
            finally:
                remove_tree(place)
            who[submission.name] = set(roster.behind(submission.name, submission.submitters))
    given = [assignment.stub, assignment.reference, *assignment.alternatives()]
    pairs = similar_pairs(texts, [path.read_text(encoding="utf-8") for path in given])
    return [pair for pair in pairs if not who[pair.one] & who[pair.other]][:MOST], texts


def similar_pairs(texts: Mapping[str, str], given: Iterable[str]) -> list[Pair]:
    """The pairs of submissions that are alike, the most alike first.

    Args:
        texts: Each submission's module by the submission's name.
        given: What agreement with says nothing: the stub, the reference, other solutions.

    Raises:
        InputError: Where copydetect is not installed.
    """
    given = list(given)
    prints = {name: _fingerprint(name, text) for name, text in texts.items() if 0 < len(text) <= LONGEST}
    common = set().union(*(_fingerprint("", text).hashes for text in given))
    met = Counter(hash for one in prints.values() for hash in one.hashes)
    common |= {hash for hash, count in met.items() if count > max(2, len(prints) / 2)}
    for one in prints.values():
        _subtract(one, common)
    pairs = [_compared(one, other, prints, texts) for one, other in _candidates(prints)]
    pairs += _same_text(texts, given, {(pair.one, pair.other) for pair in pairs if pair})
    alike = [pair for pair in pairs if pair]
    return sorted(alike, key=lambda pair: (not pair.same, -min(pair.shares), pair.one, pair.other))


def _fingerprint(name: str, text: str) -> CodeFingerprint:
    try:
        from copydetect import CodeFingerprint
    except ImportError:
        raise InputError("comparing submissions needs copydetect: pip install 'gradkit[similarity]'") from None
    return CodeFingerprint(name, LENGTH, WINDOW, language="python", fp=io.StringIO(text))


def _subtract(one: CodeFingerprint, common: set[int]) -> None:
    """Take out what says nothing. (copydetect's own way to do so overlooks what occurs more than once.)"""
    from copydetect.utils import get_token_coverage

    one.hashes -= common
    one.hash_idx = {hash: places for hash, places in one.hash_idx.items() if hash in one.hashes}
    one.token_coverage = get_token_coverage(one.hash_idx, one.k, len(one.filtered_code))


def _candidates(prints: Mapping[str, CodeFingerprint]) -> Sequence[tuple[str, str]]:
    """The pairs that share anything that is left; most share nothing."""
    by_hash: dict[int, list[str]] = {}
    for name, one in prints.items():
        for hash in one.hashes:
            by_hash.setdefault(hash, []).append(name)
    return sorted({pair for names in by_hash.values() for pair in combinations(sorted(names), 2)})


def _compared(one: str, other: str, prints: Mapping[str, CodeFingerprint], texts: Mapping[str, str]) -> Pair | None:
    from copydetect import compare_files

    _, shares, slices = compare_files(prints[one], prints[other])
    left = min(prints[one].token_coverage, prints[other].token_coverage)
    if max(shares) < SHARE or max(shares) * left < LEAST:
        return None
    spans = tuple(tuple(sorted((int(first), int(last)) for first, last in zip(*both, strict=True))) for both in slices)
    return Pair(one, other, tuple(map(float, shares)), spans, texts[one].split() == texts[other].split())


def _same_text(texts: Mapping[str, str], given: Iterable[str], known: set[tuple[str, str]]) -> Iterable[Pair]:
    """Files with the same text to the last name and comment, however near it is to the reference."""
    theirs: dict[tuple[str, ...], list[str]] = {}
    for name, text in sorted(texts.items()):
        theirs.setdefault(tuple(text.split()), []).append(name)
    for handed_out in given:
        theirs.pop(tuple(handed_out.split()), None)
    for words, names in theirs.items():
        for one, other in combinations(names, 2) if words else ():
            if (one, other) not in known:
                whole = ((0, len(texts[one])),), ((0, len(texts[other])),)
                yield Pair(one, other, (1.0, 1.0), whole, same=True)
