"""What staff's code answers in each case, computed once for a class: for all submissions, and for all jobs of a run.

A class is graded on one seed, so that a case that many fail is held against the same mistakes again and again. What a
mistake answers in a case is its transcript; matching a submission is then a comparison.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gradkit.calls.values import decode, encode
from gradkit.errors import ProtocolError

LIMIT = 64 * 2**20  # bytes of answers that one judge keeps; what does not fit is computed again
LARGEST = 8 * 2**20  # bytes of one case's answers that are shared with the other jobs


@dataclass(frozen=True)
class Repeat:
    """One case, repeated on staff's code.

    Attributes:
        transcript: All that was answered.
        failed: Whether the check failed on it.
        ended: False where it took too long; its answers are then of no use.
    """

    transcript: list[tuple[str, bytes]]
    failed: bool
    ended: bool = True


class StaffAnswers:
    """The transcripts of staff's code, by case and seed.

    Args:
        folder: Shared by the judges of a run, and closed to everyone else; None where there is one judge only.
        limit: Bytes kept in memory.
    """

    def __init__(self, folder: Path | None = None, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._forget(None)

    def _forget(self, seed: int | None) -> None:
        self._seed, self._size = seed, 0
        self._kept: dict[str, dict[str, Repeat]] = {}

    def of(self, case: str, seed: int, names: Iterable[str], compute: Callable[[str], Repeat]) -> dict[str, Repeat]:
        """What each of `names` answers in `case`, computing what nobody has computed yet."""
        if seed != self._seed:
            self._forget(seed)
        known = dict(self._kept.get(case, {}))
        wanted = list(names)
        if all(name in known for name in wanted):
            return known
        with self._shared(case) as (read, write):
            known |= read()
            missing = [name for name in wanted if name not in known]
            known |= {name: compute(name) for name in missing}
            if missing:
                write(known)
        self._keep(case, known)
        return known

    def put(self, case: str, seed: int, name: str, repeat: Repeat) -> None:
        """Keep what `name` was seen to answer. Told to no other judge: whoever asks for it first does that."""
        if seed != self._seed:
            self._forget(seed)
        self._keep(case, {name: repeat})

    def _keep(self, case: str, known: dict[str, Repeat]) -> None:
        new = {name: repeat for name, repeat in known.items() if name not in self._kept.get(case, {})}
        size = sum(_bytes(repeat.transcript) for repeat in new.values())
        if self._size + size <= self._limit:
            self._size += size
            self._kept.setdefault(case, {}).update(new)

    @contextlib.contextmanager
    def _shared(self, case: str) -> Iterator[tuple[Callable[[], dict], Callable[[dict], None]]]:
        """Ways to read and to write what all judges of the run know of a case, while the others wait."""
        if self._folder is None:
            yield dict, lambda known: None
            return
        import fcntl  # POSIX only, as all that grades

        name = hashlib.blake2b(f"{self._seed}:{case}".encode(), digest_size=16).hexdigest()
        with open(os.open(self._folder / name, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go of when the file is closed, however this ends
            yield lambda: _read(file.read()), lambda known: _write(file, known)


def _read(data: bytes) -> dict[str, Repeat]:
    try:
        return {name: Repeat(*fields) for name, fields in decode(data).items()} if data else {}
    except ProtocolError:  # half written by a judge that was killed, or more than a frame may hold
        return {}


def _write(file: BinaryIO, known: dict[str, Repeat]) -> None:
    """Write it whole; what is too large stays with the judge that has it."""
    data = encode({name: (repeat.transcript, repeat.failed, repeat.ended) for name, repeat in known.items()})
    if len(data) <= LARGEST:
        file.seek(0)
        file.write(data)
        file.truncate()


def _bytes(transcript: list[tuple[str, bytes]]) -> int:
    return sum(200 + len(payload) for _, payload in transcript)
