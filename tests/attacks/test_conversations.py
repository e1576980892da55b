"""What a submission can do in a conversation: callbacks, iteration, comparison. None of it gains a point or holds up the judge."""

from __future__ import annotations

import time

import pytest

from gradkit.grading import Grade
from gradkit.judges import JudgeClient, scratch_folder
from gradkit.model import Graded
from gradkit.scaffold import new_assignment

FUNCTIONS = """

def apply(f, n):
    # BEGIN SOLUTION centre
    return [f(i) for i in range(n)]
    # END SOLUTION centre


def stream(n):
    # BEGIN SOLUTION centre
    return iter(range(n))
    # END SOLUTION centre


def successor(x):
    # BEGIN SOLUTION centre
    return x + 1
    # END SOLUTION centre
"""

CHECKS = '''

@number("1.7")
@weight(1)
@tags("centre")
def test_callback(agree):
    """A function that is handed in is called for each number."""
    agree(lambda impl: impl.apply(lambda i: i * 2, 3))


@number("1.8")
@weight(1)
@tags("centre")
def test_stream(agree):
    """A stream gives each number once."""
    agree(lambda impl: list(impl.stream(5)))


@number("1.9")
@weight(1)
@tags("centre")
def test_bare_comparison(impl):
    """Each number's successor is one more."""
    for got, want in zip(map(impl.successor, range(5)), range(1, 6)):
        assert got == want
'''

# Writes frames ahead of the questions, from a function that runs in the worker; `kind` and `payload` are what they hold.
WRITE_AHEAD = """
def _flood(kind, payload, *, count=True):
    import os, select, sys, threading
    from gradkit.calls.frames import MAGIC, _HEADER
    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    number = frame.f_locals["request"]

    def drain():
        poll = select.poll()
        poll.register(3, 1)
        while True:
            poll.poll()
            try:
                os.read(3, 1 << 20)
            except BlockingIOError:
                pass

    threading.Thread(target=drain, daemon=True).start()
    poll = select.poll()
    poll.register(3, 4)
    while True:
        left = memoryview(b"".join(_HEADER.pack(MAGIC, kind, number + i * count, len(payload)) + payload for i in range(5000)))
        number += 5000 * count
        while left:
            poll.poll()
            try:
                left = left[os.write(3, left):]
            except BlockingIOError:
                pass

"""

ATTACKS = {
    "callback flood": (WRITE_AHEAD + "def apply(f, n):\n    from gradkit.calls.values import encode\n    _flood(18, bytes(encode((0, (0,), {}))), count=False)\n", "1.7", {"timeout", "rejected"}),
    "answers written ahead": (WRITE_AHEAD + "class _Ahead:\n    def __iter__(self): return self\n    def __next__(self):\n        from gradkit.calls.values import encode\n        _flood(16, bytes(encode(1)))\n\n\ndef stream(n):\n    return _Ahead()\n", "1.8", {"timeout", "rejected"}),
    "endless stream": ("import itertools\n\n\ndef stream(n):\n    return itertools.count()\n", "1.8", {"timeout", "rejected"}),
    "death inside a nested request": ("import os\n\n\nclass _Dies:\n    def __mul__(self, other): os._exit(3)\n\n\ndef apply(f, n):\n    return [f(_Dies())]\n", "1.7", {"crashed"}),
    "callbacks without end": ("def apply(f, n):\n    while True:\n        f(1)\n", "1.7", {"timeout", "rejected"}),
    "equal to everything": ("class _Yes:\n    def __eq__(self, other): return True\n    def __bool__(self): return True\n\n\ndef successor(x):\n    return _Yes()\n", "1.9", {"rejected"}),
    "an early end of iteration": ("def successor(x):\n    raise StopIteration\n", "1.9", {"failed"}),
    "a callback's own exception swallowed": ("def apply(f, n):\n    try:\n        f('a', 'b')\n    except BaseException:\n        pass\n    return [0, 2, 4]\n", "1.7", {"rejected"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def talk(sandboxed, tmp_path_factory):
    """Grade a text on top of the reference of a small assignment with a callback, a stream and a bare comparison."""
    root = tmp_path_factory.mktemp("talking")
    (root / "assignments").mkdir()
    (root / "solutions").mkdir(mode=0o700)
    new_assignment(root, "scaling")
    reference = root / "solutions" / "scaling" / "scaling.py"
    reference.write_text(reference.read_text(encoding="utf-8") + FUNCTIONS, encoding="utf-8")
    checks = root / "solutions" / "scaling" / "test_hidden.py"
    checks.write_text(checks.read_text(encoding="utf-8") + CHECKS, encoding="utf-8")
    manifest = root / "assignments" / "scaling" / "assignment.toml"
    manifest.write_text(
        manifest.read_text(encoding="utf-8").replace("\n\n[[", "\ntimeout_s = 1\n\n[[", 1), encoding="utf-8"
    )
    with scratch_folder() as scratch, JudgeClient(root, "scaling", scratch) as judge:

        def grade(name: str, text: str) -> tuple[Graded, float]:
            folder = scratch / name.replace(" ", "-")
            folder.mkdir(mode=0o755)
            module = folder / "scaling.py"
            module.write_text(f"{reference.read_text(encoding='utf-8')}\n\n{text}", encoding="utf-8")
            module.chmod(0o644)
            collected = Grade(Graded(name, "scaling", "graded"), judge.checks)
            begun = time.monotonic()
            return collected.finish(judge.grade(module, 1, collected.add)), time.monotonic() - begun

        yield grade


def test_the_reference_passes_the_conversation(talk):
    """Callbacks, streams and comparisons work as in one process."""
    graded, _ = talk("reference", "")

    assert graded.score == graded.max_score, [case.summary for result in graded.results for case in result.cases]


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_conversation_gains_nothing_and_ends(talk, name):
    """The attacked check fails for a reason of the submission's, every other one passes, and the judge is free again."""
    text, number, outcomes = ATTACKS[name]

    graded, elapsed_s = talk(name, text)

    by_number = {result.check.number: result for result in graded.results}
    assert graded.status == "graded", graded.reason
    assert by_number[number].outcome.value in outcomes, by_number[number].cases
    assert all(result.score == result.check.points for key, result in by_number.items() if key != number)
    assert elapsed_s < 60  # a few time limits; without a bound it would not end
