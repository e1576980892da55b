"""Exact checks of random functions: run them along every branch of chance, and add up what comes out.

A function that needs luck is handed it, as keyword arguments. `draw(probabilities)` gives an index, and `flip(p)` gives
True with probability p:

    def two_dice(*, draw, flip):
        return draw([1 / 6] * 6) + draw([1 / 6] * 6)

`law` replays such a function once for each way in which its draws can come out. It multiplies the probabilities along the
way and adds them up by result. So the whole distribution is known, with rounding for its only error, and a check needs no
sample, no tolerance of its own and no large number of runs:

    law(two_dice)[2]  # P(two ones) = 1/36

`luck` gives the same two functions with ordinary random numbers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from coursekit.compare import Difference, Law, Mismatch

UNFINISHED = "unfinished"
"""The result of a run that asked for more draws than `law(..., cut=…)` allows."""

NEGLIGIBLE = 1e-12  # what is rarer is rounding: a branch of that probability isn't followed
SUM_TOLERANCE = 1e-6  # by which probabilities in float32 may miss a sum of 1
MOST_DRAWS = 1_000  # in one run, where the check sets no `cut`
MOST_AT_ONCE = 64  # runs that the judge asks for in one request


def law(
    function: Callable,
    *args: object,
    given: Sequence[str] = ("draw", "flip"),
    cut: int | None = None,
    most_runs: int = 5_000,
    **kwargs: object,
) -> Law:
    """The distribution of what a random function returns.

    Calls `function(*args, draw=…, flip=…, **kwargs)` once along each branch, each time with a copy of its arguments. Lists,
    arrays and tensors that it returns become tuples, so that they can be keys. Floats are rounded to 12 digits: results
    that differ by rounding are one result.

    Args:
        function: A student's, or any other whose only chance is what it draws.
        given: Which of "draw" and "flip" it takes.
        cut: End a run that asks for more draws than this, with the result `UNFINISHED`. Without it such a run fails at
            1,000 draws.
        most_runs: How many branches there may be. A check has a few seconds.

    Returns:
        The probability of each result that is likelier than 1e-12, ordered by result. They add up to 1.

    Raises:
        Mismatch: If the function draws from something that is no distribution, has too many branches, or asks for other
            draws when the earlier ones come out the same: then it uses other random numbers, or remembers earlier calls.
        ValueError: If `given` names something else, or there is nothing to give.

    Example:
        The first success, looked for three times at most:

        >>> def first(*, flip):
        ...     return next((n for n in (1, 2, 3) if flip(0.5)), None)
        >>> law(first, given=("flip",))
        {1: 0.5, 2: 0.25, 3: 0.125, None: 0.125}
    """
    if not given or set(given) - {"draw", "flip"}:
        raise ValueError(f"given must name draw, flip or both, got {given!r}")
    tree = _Tree(most_runs)

    def replay(runs: list[list[int]]) -> object:
        replayed = getattr(function, "_replayed", None)  # of a function in the judge's worker: draws need not cross
        if replayed:
            return replayed(args, kwargs, tuple(given), runs, cut)
        return replayed_calls(function, args, kwargs, given, runs, cut)

    def explore() -> Law:
        shares: dict[Hashable, list[float]] = defaultdict(list)
        while branches := tree.next_runs():
            for branch, (result, asked, ended) in _paired(branches, replay([branch.choices for branch in branches])):
                probability = tree.take(branch, asked, ended)
                shares[UNFINISHED if ended else as_key(result)].append(probability)
        sums = {outcome: math.fsum(parts) for outcome, parts in shares.items()}
        return Law(sorted(sums.items(), key=lambda item: repr(item[0])))

    as_one = getattr(function, "_as_one", None)  # likewise: all runs are one answer
    return as_one(explore) if as_one else explore()


def replayed_calls(
    function: Callable, args: tuple, kwargs: dict, given: Sequence[str], runs: Sequence[Sequence[int]], cut: int | None
) -> list[tuple[object, list[list[float]], str]]:
    """Runs of a random function, each with a copy of its arguments: the draws of a run come out as its `choices` say, and later
    ones as the first result that can occur.

    Returns:
        For each run what the function returned; the probabilities of each draw; and why the run was broken off: a key of
        `FAULTS`, "cut", or empty if it was not. A run that was broken off returns None. After a fault there are no more.
    """
    answers = []
    for choices in runs:
        tape = _Tape(choices, cut)
        tools = {name: _unrecorded(getattr(tape, name)) for name in given}
        try:
            result = function(*map(_copied, args), **_copied(kwargs), **tools)
        except Exception:  # a run that was broken off may end in any; others are the function's fault
            if not tape.ended:
                raise
        # whatever the function made of it; a copy, for later runs may change what this one returned
        answers.append((None if tape.ended else _copied(result), tape.asked, tape.ended))
        if tape.ended in FAULTS:
            break
    return answers


def luck(seed: int) -> tuple[Callable[[Sequence[float]], int], Callable[[float], bool]]:
    """`draw` and `flip` with ordinary random numbers, to call a random function by hand.

    Example:
        >>> draw, flip = luck(0)
        >>> draw([0.2, 0.8]), flip(0.5)
        (1, True)
    """
    rng = np.random.default_rng(seed)

    def pick(read: Callable[[object], list[float] | str], asked: object) -> int:
        shares = read(asked)
        if isinstance(shares, str):
            raise _wrong(FAULTS[shares])
        return int(np.searchsorted(np.cumsum(shares)[:-1], rng.random() * math.fsum(shares), side="right"))

    def draw(probabilities: Sequence[float]) -> int:
        return pick(_shares, probabilities)

    def flip(p: float) -> bool:
        return pick(_sides, p) == 1

    return draw, flip


def mean(law: Law, value: Callable[[object], float] = float) -> float:
    """The expected value of a function of the result: the sum of probability times value."""
    return math.fsum(p * value(outcome) for outcome, p in law.items())


def as_key(result: object) -> Hashable:
    """What `law` calls a result: lists, arrays and tensors as tuples, dicts as tuples of their items, floats rounded.

    Raises:
        Mismatch: If it holds anything that is no plain value.
    """
    if isinstance(result, (np.ndarray, np.generic)) or hasattr(result, "detach"):
        result = result.tolist()
    if isinstance(result, (list, tuple)):
        return tuple(map(as_key, result))
    if isinstance(result, dict):
        return tuple((as_key(key), as_key(value)) for key, value in result.items())
    if isinstance(result, (set, frozenset)):
        return frozenset(map(as_key, result))
    if isinstance(result, float):
        return float(f"{result:.12g}") + 0.0  # -0.0 is 0.0
    if not isinstance(result, (bool, int, str, bytes, type(None))):
        raise _wrong(
            f"returns something else than numbers, text, arrays or lists of them: {type(result).__name__}", kind="type"
        )
    return result


FAULTS = {
    "none": "hands to draw something else than a list of probabilities",
    "negative": "hands probabilities to draw that are negative or NaN",
    "sum": "hands probabilities to draw that do not add up to 1",
    "no number": "hands to flip something else than a probability",
    "outside": "hands a probability to flip that is not between 0 and 1",
    "many": f"makes more than {MOST_DRAWS:,} draws in one run",
}
"""What can be wrong with a draw: a predicate to put after the function's name."""


class _BrokenOff(Exception):
    """Ends a run, for one of `FAULTS` or because it is cut."""


class _Tape:
    """The luck of one run, and what was asked of it."""

    def __init__(self, choices: Sequence[int], cut: int | None) -> None:
        self._choices, self._cut = choices, cut
        self.asked: list[list[float]] = []
        self.ended = ""

    def draw(self, probabilities: Sequence[float]) -> int:
        return self._answer(_shares, probabilities)

    def flip(self, p: float) -> bool:
        return self._answer(_sides, p) == 1

    def _answer(self, read: Callable[[object], list[float] | str], asked: object) -> int:
        if self.ended:
            raise _BrokenOff(self.ended)
        at = len(self.asked)
        shares = read(asked)
        if at == (MOST_DRAWS if self._cut is None else self._cut):
            shares = "many" if self._cut is None else "cut"
        if isinstance(shares, str):
            self.ended = shares
            raise _BrokenOff(FAULTS.get(shares, shares))
        self.asked.append(shares)
        return self._choices[at] if at < len(self._choices) else _next(shares, 0)


class _Branch(NamedTuple):
    """A run that is still to be made: how its first draws come out, and what an earlier run drew them from."""

    choices: list[int]
    shares: list[list[float]]


class _Tree:
    """Walks the tree of all draws. Each run tells its draws, and with them which other branches there are: many are known at a time."""

    def __init__(self, most_runs: int) -> None:
        self._most_runs = most_runs
        self._waiting = [_Branch([], [])]
        self._known = 1  # branches, followed or waiting

    def next_runs(self) -> list[_Branch]:
        """Some of the branches that were not followed yet; none once every one has been."""
        branches, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        return branches

    def take(self, branch: _Branch, asked: list[list[float]], ended: str) -> float:
        """Take the draws of a run, which followed the branch as far as it went, and give the probability of the run.

        Raises:
            Mismatch: If one of them was wrong, or they are not those of the runs before, or there are too many branches.
        """
        if not all(map(_alike, branch.shares, asked)):
            raise _wrong(f"asks for other draws when the earlier ones come out the same: {_MEMORY}")
        if ended in FAULTS:
            raise _wrong(FAULTS[ended], "unnormalized" if ended == "sum" else "value")
        if len(asked) < len(branch.choices):
            raise _wrong(f"makes fewer draws when the earlier ones come out the same: {_MEMORY}")
        choices = list(branch.choices)
        for at in range(len(choices), len(asked)):
            first = _next(asked[at], 0)
            others = [index for index in range(first + 1, len(asked[at])) if asked[at][index] > NEGLIGIBLE]
            self._known += len(others)
            if self._known > self._most_runs:  # before they take room
                text = f"can take more than {self._most_runs:,} different ways, and this check follows no more"
                raise _wrong(f"{text}: does it draw more often than it needs to?")
            self._waiting += [_Branch([*choices, other], asked[: at + 1]) for other in others]
            choices.append(first)
        return math.prod(shares[taken] for shares, taken in zip(asked, choices, strict=True))


_MEMORY = "it uses other random numbers, or remembers earlier calls"


def _paired(branches: list[_Branch], answers: object) -> Iterator[tuple[_Branch, tuple[object, list, str]]]:
    """Each branch with what came of its run. A submission's process may answer with anything: then it is no run.

    Raises:
        TypeError: If it is none, or runs are missing.
    """
    if isinstance(answers, list):
        for branch, answer in zip(branches, answers, strict=False):
            yield branch, _checked(answer)
        if len(answers) == len(branches):
            return
    raise TypeError("a replayed call answers with its result, its draws and its end, for each run")


def _checked(answer: object) -> tuple[object, list[list[float]], str]:
    """What came of a run. A submission's process may answer with anything: then it is no run.

    Raises:
        TypeError: If it is none.
    """
    if isinstance(answer, tuple) and len(answer) == 3:
        _, asked, ended = answer
        known = ended in ("", "cut", *FAULTS) if isinstance(ended, str) else False
        if (
            known
            and isinstance(asked, list)
            and all(isinstance(shares, list) and _shares(shares) == shares for shares in asked)
        ):
            return answer
    raise TypeError("a replayed call answers with its result, its draws and its end")


def _alike(before: list[float], now: list[float]) -> bool:
    """Whether two draws are from the same probabilities, up to rounding. They are short, and each run compares all of its path."""
    return before == now or (
        len(before) == len(now) and all(abs(a - b) <= NEGLIGIBLE for a, b in zip(before, now, strict=True))
    )


def _next(shares: list[float], first: int) -> int | None:
    """The first result from `first` on that can occur."""
    return next((index for index in range(first, len(shares)) if shares[index] > NEGLIGIBLE), None)


def _shares(probabilities: object) -> list[float] | str:
    """What was handed to `draw`, as a list, or the key in `FAULTS` of what is wrong with it."""
    if hasattr(probabilities, "tolist"):
        probabilities = probabilities.tolist()
    try:
        shares = [float(share) for share in probabilities]
    except (TypeError, ValueError):
        return "none"
    if not all(share >= 0 for share in shares):  # NaN is not
        return "negative"
    return shares if abs(math.fsum(shares) - 1.0) <= SUM_TOLERANCE else "sum"


def _sides(p: object) -> list[float] | str:
    """What was handed to `flip`, as the probabilities of False and True, or what is wrong with it."""
    try:
        share = float(p)
    except (TypeError, ValueError):
        return "no number"
    if not -NEGLIGIBLE <= share <= 1.0 + NEGLIGIBLE:
        return "outside"
    return [max(1.0 - share, 0.0), min(max(share, 0.0), 1.0)]


def _wrong(text: str, kind: str = "value") -> Mismatch:
    return Mismatch(Difference(kind, f"your function {text}", ""))


def _unrecorded(tool: Callable) -> Callable:
    """A function that the judge takes for a tool: how often and in what order it is used is the implementation's affair."""

    def use(argument: object) -> object:
        return tool(argument)

    use.unrecorded = True
    return use


def _copied(value: object) -> object:
    """A copy of plain data, since a run may change what it is given."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(map(_copied, value))
    return value.detach().clone() if hasattr(value, "detach") else value
