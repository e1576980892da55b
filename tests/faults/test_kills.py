"""Whatever part of the grader is killed, nothing is lost and nothing is graded twice. `kills.py` alone does it for longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.usefixtures("sandboxed")
def test_kills_at_random_points_lose_nothing():
    """Two rounds on a class of ten; a failure prints the seed that repeats it."""
    script = Path(__file__).parent / "kills.py"
    command = [sys.executable, str(script), "--rounds", "2", "--submissions", "10"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stdout + done.stderr
