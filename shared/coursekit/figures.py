"""Draws every assignment's figures from the student's own code: `python -m coursekit.figures`.

Run it in the folder that holds the assignments, or name some: `python -m coursekit.figures attention bpe`. Each assignment's
`figures.py` runs by itself, so that one that fails, or takes memory, does so alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from coursekit.drawing import nothing_to_draw


def find(folder: Path) -> list[Path]:
    """The assignments' scripts in a folder, or in its `assignments/`, by name; if the folder is an assignment's, its own script."""
    if (folder / "assignment.toml").is_file():
        return [folder / "figures.py"]
    scripts = {
        path.with_name("figures.py")
        for inner in (folder, folder / "assignments")
        for path in inner.glob("*/assignment.toml")
    }
    return sorted(script for script in scripts if script.is_file())


def _nothing_to_draw(script: Path) -> str:
    manifest = tomllib.loads(script.with_name("assignment.toml").read_text(encoding="utf-8"))
    return nothing_to_draw(script.with_name(manifest.get("module", f"{script.parent.name}.py")))


def main(argv: Sequence[str] | None = None) -> int:
    """Draw one assignment after the other, and print the lines of each figure.

    Returns:
        0 if every figure was drawn or waits for a task that is not written, 1 if one failed, 2 for a wrong command line.
    """
    parser = argparse.ArgumentParser(
        prog="python -m coursekit.figures", description="Draw the assignments' figures from your own code."
    )
    parser.add_argument("names", nargs="*", metavar="ASSIGNMENT", help="only these; all when none is named")
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="the folder that holds the assignments; by default this one"
    )
    options = parser.parse_args(argv)
    scripts = {script.resolve().parent.name: script for script in find(options.folder)}
    if not scripts:
        parser.error(f"no assignment with a figures.py in {options.folder.resolve()}: go to the folder that holds them")
    for name in options.names:
        if name not in scripts:
            parser.error(f"no assignment is called {name}; there are {', '.join(scripts)}")
    code = 0
    # The children write to the same place: line by line, and in the encoding chosen for this process.
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    for name in options.names or scripts:
        print(f"{name}:", flush=True)
        if nothing := _nothing_to_draw(scripts[name]):
            print(nothing, flush=True)
            continue
        ended = subprocess.run([sys.executable, str(scripts[name])], env=environment)
        code = code or (1 if ended.returncode else 0)
    return code


if __name__ == "__main__":
    sys.exit(main())
