"""What staff's code answers in each case, kept from one submission to the next.

A class is graded on one seed, so that a case that many fail is repeated with the same mistakes again and again. The first
failure breaks each repetition off at the first other answer, which is cheapest once; from the second on they run to their
end and are kept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gradkit.worker.runtime import map_leaves

LIMIT = 64 * 2**20  # bytes of answers kept by one judge


@dataclass(frozen=True)
class Repeat:
    """One case, repeated on staff's code to its end."""

    transcript: list[tuple]
    failed: bool


class Repeats:
    """The repetitions on the seed in use; another seed empties it."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._forget(None)

    def _forget(self, seed: int | None) -> None:
        self._seed, self._size = seed, 0
        self._kept: dict[tuple[str, str], Repeat] = {}
        self._failures: Counter[str] = Counter()

    def again(self, case: str, seed: int) -> bool:
        """Note that a submission needs this case repeated; whether an earlier one did too."""
        if seed != self._seed:
            self._forget(seed)
        self._failures[case] += 1
        return self._failures[case] > 1

    def get(self, case: str, name: str) -> Repeat | None:
        return self._kept.get((case, name))

    def keep(self, case: str, name: str, repeat: Repeat) -> None:
        """Keep it as long as there is room."""
        size = _bytes(repeat.transcript)
        if self._size + size <= self._limit:
            self._size += size
            self._kept[case, name] = repeat


def _bytes(transcript: list[tuple]) -> int:
    total = 0

    def add(leaf: object) -> object:
        nonlocal total
        total += 64 + getattr(leaf, "nbytes", 0) + (len(leaf) if isinstance(leaf, (str, bytes)) else 0)
        return leaf

    for _, value in transcript:
        map_leaves(value, add)
    return total
