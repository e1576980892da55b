"""Whatever part of the grader is killed, nothing is lost and nothing is graded twice. `kills.py` does it for longer."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gradkit.batch import Batch
from gradkit.judges import LocalJudges

SCRIPT = Path(__file__).parent / "kills.py"
pytestmark = pytest.mark.usefixtures("sandboxed")


@pytest.fixture(scope="module")
def kills():
    spec = importlib.util.spec_from_file_location("kills", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_kills_at_random_points_lose_nothing():
    """One round on a class of ten; a failure prints the seed that repeats it."""
    command = [sys.executable, str(SCRIPT), "--rounds", "1", "--submissions", "10"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["judge", "zygote", "worker"])
def test_a_part_that_is_killed_costs_nothing(kind, kills, small_kit, scaling, reference_source, tmp_path):
    """One of each, in the middle of a submission: the run goes on by itself, and everyone has full marks."""
    files = []
    for number in range(3):
        files.append(tmp_path / f"s{number}.py")
        files[-1].write_text(f"{reference_source}\nimport time\ntime.sleep(0.2)\n# {number}\n", encoding="utf-8")
    killed: list[int] = []
    others = set(kills.below(os.getpid())[kind])  # the judges that other tests share

    def shoot() -> None:
        deadline = time.monotonic() + 20
        while not killed and time.monotonic() < deadline:
            for pid in [pid for pid in kills.below(os.getpid())[kind] if pid not in others][:1]:
                with contextlib.suppress(ProcessLookupError):  # a worker was done just then
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    def on_row(row) -> None:  # between two submissions
        if not shooters:
            shooters.append(threading.Timer(0.3, shoot))
            shooters[0].start()

    shooters: list[threading.Timer] = []
    with LocalJudges(small_kit, "scaling") as judges:
        result = Batch(scaling, files, tmp_path / "out", judges, seed=1).run(on_row)

    shooters[0].join()
    assert len(killed) == 1
    assert result.all_graded and {row.score for row in result.rows} == {100}
