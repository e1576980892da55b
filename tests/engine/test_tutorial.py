"""What CONTRIBUTING tells an instructor to do works as it is written there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CONTRIBUTING = Path(__file__).resolve().parent.parent.parent / "CONTRIBUTING.md"


def steps() -> list[tuple[str, str]]:
    """The section's blocks in order: a file's path and what to add to it, or an empty path and commands."""
    section = CONTRIBUTING.read_text(encoding="utf-8").split("## An assignment in ten minutes\n")[1].split("\n## ")[0]
    found = []
    for before, language, text in re.findall(r"([^\n]*)\n\n```(\w*)\n(.*?)```", section, re.S):
        path = re.search(r"`([^`]+\.toml)`:$", before)
        assert bool(path) == (language == "toml"), before
        found.append((path[1] if path else "", text))
    return found


@pytest.mark.usefixtures("sandboxed")
def test_the_tutorial_does_what_it_says(tmp_path):
    """Every block, run in an empty kit: a new assignment, a new mistake that is noticed, a class, its report, a bundle."""
    (tmp_path / "assignments").mkdir()
    (tmp_path / "solutions").mkdir(mode=0o700)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    said = ""

    for path, text in steps():
        if path:
            with open(tmp_path / path, "a", encoding="utf-8") as file:
                file.write(f"\n{text}")
            continue
        done = subprocess.run(
            ["bash", "-e", "-c", text],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        said += done.stdout

    assert said.count("reference 100 on 20 seeds") == 4  # at the head of a matrix and as the last line, twice
    assert "3 mistakes each with its own hint" in said and "4 mistakes each with its own hint" in said
    assert "divided_by_variance" in (tmp_path / "solutions/layer_norm/kill_matrix.txt").read_text(encoding="utf-8")
    seen = json.loads((tmp_path / "build/grades/student01/results.json").read_text(encoding="utf-8"))
    assert any("in which unit is its variance?" in " ".join(test["output"].split()) for test in seen["tests"])
    assert "divided_by_variance" in (tmp_path / "build/grades/report/index.html").read_text(encoding="utf-8")
    assert "course/layer_norm/layer_norm.py" in zipfile.ZipFile(tmp_path / "build/course.zip").namelist()


def test_the_tutorial_has_its_steps():
    """A mistake to add to a file, and commands before and after it."""
    kinds = [bool(path) for path, _ in steps()]

    assert kinds == [False, True, False, False]
