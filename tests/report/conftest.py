"""A class to report on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for class_zoo and browser, which no package holds

import class_zoo
from browser import Browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One page of a headless Chromium."""
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """The folder of a run with one of everything in it."""
    class_zoo.write_run(tmp_path, class_zoo.zoo())
    return tmp_path
