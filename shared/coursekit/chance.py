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
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from coursekit.compare import Difference, Law, Mismatch

UNFINISHED = "unfinished"
"""The result of a run that asked for more draws than `law(..., cut=…)` allows."""

NEGLIGIBLE = 1e-12  # what is rarer is rounding: a branch of that probability isn't followed
SUM_TOLERANCE = 1e-6  # by which probabilities in float32 may miss a sum of 1
MOST_DRAWS = 1_000  # in one run, where the check sets no `cut`


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
        most_runs: How many branches there may be. In the judge a run costs some 0.2 ms, and a check has a few seconds.

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

    def run(choices: list[int]) -> tuple[object, list, str]:
        replayed = getattr(function, "_replayed", None)  # of a function in the judge's worker: draws need not cross
        if replayed:
            return replayed(args, kwargs, tuple(given), choices, cut)
        return replayed_call(function, tuple(map(_copied, args)), _copied(kwargs), given, choices, cut)

    def explore() -> Law:
        shares: dict[Hashable, list[float]] = defaultdict(list)
        while (choices := tree.next_run()) is not None:
            result, asked, ended = _checked(run(choices))
            tree.take(asked, ended)
            shares[UNFINISHED if ended else as_key(result)].append(tree.probability())
        sums = {outcome: math.fsum(parts) for outcome, parts in shares.items()}
        return Law(sorted(sums.items(), key=lambda item: repr(item[0])))

    as_one = getattr(function, "_as_one", None)  # likewise: all runs are one answer
    return as_one(explore) if as_one else explore()


def replayed_call(
    function: Callable, args: tuple, kwargs: dict, given: Sequence[str], choices: Sequence[int], cut: int | None
) -> tuple[object, list[list[float]], str]:
    """One run of a random function: its draws come out as `choices` say, and later ones as the first result that can occur.

    Returns:
        What the function returned; the probabilities of each draw; and why the run was broken off: a key of `FAULTS`,
        "cut", or empty if it was not. A run that was broken off returns None.
    """
    tape = _Tape(choices, cut)
    tools = {name: _unrecorded(getattr(tape, name)) for name in given}
    try:
        result = function(*args, **kwargs, **tools)
    except Exception:  # a run that was broken off may end in any exception of its own; others are the function's fault
        if not tape.ended:
            raise
    return (None if tape.ended else result), tape.asked, tape.ended  # whatever the function made of it


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


class _Choice(NamedTuple):
    """One draw of the run at hand: what it was drawn from, and which result it has in this run."""

    shares: list[float]
    taken: int


class _Tree:
    """Walks the tree of all draws depth first: each run follows the choices of the one before, but for the last."""

    def __init__(self, most_runs: int) -> None:
        self._most_runs = most_runs
        self._path: list[_Choice] | None = None  # of the last run; None before the first
        self._runs = 0

    def next_run(self) -> list[int] | None:
        """How the first draws of the next run come out; None once every branch has been followed.

        Raises:
            Mismatch: When there are too many.
        """
        if self._path is None:
            self._path = []
        else:
            while self._path and (following := _next(self._path[-1].shares, self._path[-1].taken + 1)) is None:
                self._path.pop()
            if not self._path:
                return None
            self._path[-1] = self._path[-1]._replace(taken=following)
        self._runs += 1
        if self._runs > self._most_runs:
            text = f"can take more than {self._most_runs:,} different ways, and this check follows no more"
            raise _wrong(f"{text}: does it draw more often than it needs to?")
        return [choice.taken for choice in self._path]

    def take(self, asked: list[list[float]], ended: str) -> None:
        """Take the draws of a run, which followed the choices as far as they went.

        Raises:
            Mismatch: If one of them was wrong, or they are not those of the runs before.
        """
        for choice, shares in zip(self._path, asked, strict=False):
            if len(choice.shares) != len(shares) or not np.allclose(choice.shares, shares, rtol=0.0, atol=NEGLIGIBLE):
                raise _wrong(f"asks for other draws when the earlier ones come out the same: {_MEMORY}")
        if ended in FAULTS:
            raise _wrong(FAULTS[ended], "unnormalized" if ended == "sum" else "value")
        if len(asked) < len(self._path):
            raise _wrong(f"makes fewer draws when the earlier ones come out the same: {_MEMORY}")
        self._path += [_Choice(shares, _next(shares, 0)) for shares in asked[len(self._path) :]]

    def probability(self) -> float:
        """Of the last run."""
        return math.prod(choice.shares[choice.taken] for choice in self._path)


_MEMORY = "it uses other random numbers, or remembers earlier calls"


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
    if isinstance(value, list):
        return [_copied(part) for part in value]
    return value.detach().clone() if hasattr(value, "detach") else value
