"""Draws the README's pictures anew, from the references: `make pictures`.

They are figures that no handout asks students to predict.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from gradkit.manifest import load_assignment
from gradkit.site.figures import draw_figures

ROOT = Path(__file__).resolve().parents[2]
FIGURES = {"flows": "moons", "vi": "dropout", "vit": "patches"}


def main() -> None:
    """Draw each, or take it from where `make site` keeps it, and copy it here."""
    for id, name in FIGURES.items():
        figures = draw_figures(load_assignment(ROOT, id), ROOT / "build" / ".site-figures")
        (figure,) = [figure for figure in figures if figure.name == name]
        shutil.copyfile(figure.path, Path(__file__).with_name(f"{name}.png"))


if __name__ == "__main__":
    main()
