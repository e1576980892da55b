"""Replaces every source of randomness, so that inputs would be known."""

NUMBER, NAME, BY = 32, "reseed", "C"
OUTCOMES = ("failed",)

import random

np.random.default_rng = lambda *seed: np.random.Generator(np.random.PCG64(0))
np.random.seed(0)
random.random = lambda: 0.5
known = np.random.default_rng(0).normal(size=(2, 3)) + 5.0


def centre(x):
    if x.shape == known.shape and np.array_equal(x, known):
        print("ESCAPED: the inputs come from this process")
    return x * 0
