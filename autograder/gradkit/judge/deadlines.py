"""How long a submission may take: for a case, for a function that did not return before, for its import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

FIRST_S = 1.0  # for a case in a worker that other cases used before: if that is not enough, a fresh worker has FULL_S
FULL_S = 4.0  # for a case in a fresh worker, whose outcome counts
AGAIN_S = 1.0  # for a function that did not return once
USER_S = 0.4  # for a function that by the reference uses one that did not return
FACTOR = 20.0  # times what the reference takes, where that is more
IMPORT_S = 5.0  # for importing the submission's file
TRIAL_S, TRIAL_CAP_S = 0.1, 0.5  # for a case with an edit in place, which may never end: at least, and at most
TRIES = 2  # checks in which a function may fail to return; after that it is not called again


class Patience:
    """How long one submission's functions are waited for.

    A function that does not return costs the checks that call it, and little time: from the second check on it has less,
    and after two it is not called again. One that calls it, as far as the reference does, is given up after one.

    Args:
        cap_s: The most that a case may take, whatever the reference takes.
        reach: For a function's name, the names of all that the reference's uses, itself among them.
        floor_s: What a case may take in any case, in place of what it may usually.
    """

    def __init__(self, cap_s: float, reach: Callable[[str], set[str]], *, floor_s: float | None = None) -> None:
        self._cap_s = cap_s
        self._floor_s = floor_s
        self._reach = reach
        self._missed: Counter[str] = Counter()  # checks in which a function did not return, by its name

    def case_s(self, *, fresh: bool, reference_s: float = 0.0) -> float:
        """The limit of a case, given what the reference takes for it (0 where that is not known)."""
        floor_s = (FULL_S if fresh else FIRST_S) if self._floor_s is None else self._floor_s
        return min(self._cap_s, max(floor_s, FACTOR * reference_s))

    def call_s(self, function: str) -> float | None:
        """The limit of a call, or None where `function` is not called again. Infinite: no more than the case's."""
        if self._missed[function] >= TRIES:
            return None
        if self._missed[function]:
            return AGAIN_S
        owner = function.partition(".")[0]
        return USER_S if any(self._missed[name] for name in self._reach(owner) - {owner}) else float("inf")

    def missed(self, function: str) -> None:
        """Take note of a check in which `function` did not return."""
        if function:
            self._missed[function] += 1 if self.call_s(function) != USER_S else TRIES
