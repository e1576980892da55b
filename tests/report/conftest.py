"""A class to report on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for class_zoo and browser, which no package holds

import class_zoo


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """The folder of a run with one of everything in it."""
    class_zoo.write_run(tmp_path, class_zoo.zoo())
    return tmp_path
