"""Draws your data before and after. Run: python figures.py"""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, main


@figure(
    "before_after",
    caption="The cloud keeps its shape; its centre moves to the origin and both axes get the same scale.",
)
def before_after(impl):
    import matplotlib.pyplot as plt

    x = np.random.default_rng(0).normal(size=(200, 2)) * [3.0, 0.5] + [4.0, -1.0]
    drawing, axes = plt.subplots(1, 2, figsize=(8, 4))
    for ax, data, title in zip(axes, (x, impl.standardise(x)), ("before", "after"), strict=True):
        ax.scatter(*data.T, s=8)
        ax.set(title=title, xlabel="feature 1", ylabel="feature 2", aspect="equal")
    return drawing


if __name__ == "__main__":
    main("{id}")
