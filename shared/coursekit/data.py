"""Tiny data sets: bundled or drawn here, needing no network and no torch.

Arrays are NumPy and float64. Each call makes new ones, so you may write into them.
"""

from __future__ import annotations

import json
import math
from importlib import resources

import numpy as np

# Small worked examples


def players() -> tuple[np.ndarray, np.ndarray]:
    """Return ten football players and whether each was drafted.

    Returns:
        Features of shape (10, 2): goals per hundred games, and passes that arrived in percent. Labels of
        shape (10,): 1.0 drafted, 0.0 not. A straight line separates the two, by a narrow margin.
    """
    goals = [50, 80, 100, 30, 90, 60, 20, 70, 45, 40]
    passes = [75, 68, 80, 85, 60, 90, 70, 82, 88, 60]
    drafted = [0, 1, 1, 0, 0, 1, 0, 1, 1, 0]
    return np.array([goals, passes], np.float64).T.copy(), np.array(drafted, np.float64)


def zero_image() -> np.ndarray:
    """Return the digit "0" as a gray image of shape (5, 5), from 0 (no ink) to 1."""
    return np.array(
        [
            [0.2, 0.8, 0.9, 0.8, 0.2],
            [0.8, 0.1, 0.1, 0.1, 0.8],
            [0.9, 0.1, 0.2, 0.1, 0.9],
            [0.8, 0.1, 0.1, 0.1, 0.8],
            [0.2, 0.8, 0.9, 0.8, 0.2],
        ]
    )


def edge_kernel() -> np.ndarray:
    """Return the kernel of shape (3, 3) that responds to horizontal edges: large where there is ink above and none below."""
    return np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -1.0, -1.0]])


# Text


def languages() -> dict[str, str]:
    """Return the same short text in several languages and scripts, by language.

    It is read from `data/languages.json`, UTF-8, which holds either `{"English": "...", ...}` or
    `{"source": "...", "texts": {"English": "...", ...}}`. `data/languages.txt` says where the texts are from.

    Returns:
        Language to text, English first.
    """
    file = resources.files("coursekit").joinpath("data", "languages.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    return dict(content.get("texts", content))


# Digits

_DIGITS = """
.###.  ..#..  .###.  ####.  ...#.  #####  ..##.  #####  .###.  .###.
#...#  .##..  #...#  ....#  ..##.  #....  .#...  ....#  #...#  #...#
#...#  ..#..  ....#  ....#  .#.#.  ####.  #....  ...#.  #...#  #...#
#...#  ..#..  ...#.  .###.  #..#.  ....#  ####.  ..#..  .###.  .####
#...#  ..#..  ..#..  ....#  #####  ....#  #...#  ..#..  #...#  ....#
#...#  ..#..  .#...  ....#  ...#.  #...#  #...#  .#...  #...#  ...#.
.###.  .###.  #####  ####.  ...#.  .###.  .###.  .#...  .###.  .##..
"""


def digit_bitmaps() -> np.ndarray:
    """Return the ten digits as drawn, without noise: shape (10, 7, 5), ink 1.0 and paper 0.0."""
    rows = [line.split() for line in _DIGITS.split("\n") if line]
    return np.array([[[float(c == "#") for c in row[digit]] for row in rows] for digit in range(10)])


def digits(n: int = 400, *, seed: int = 0, size: int = 12, noise: float = 0.08) -> tuple[np.ndarray, np.ndarray]:
    """Return small gray images of the ten digits, in random places, slants and strengths, with noise.

    Every digit comes equally often, up to one, in random order. The first n of a longer draw are not the
    same as a draw of n: draw once and split.

    Args:
        n: Number of images.
        seed: Seed of all randomness; the same seed gives the same images.
        size: Height and width in pixels, at least 9.
        noise: Standard deviation of the noise added to each pixel, before clipping.

    Returns:
        Images of shape (n, 1, size, size) in [0, 1], and labels of shape (n,), int64.

    Raises:
        ValueError: If size is below 9 or n is negative.
    """
    if size < 9:
        raise ValueError(f"size must be at least 9, got {size}")
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    rng = np.random.default_rng(seed)
    bitmaps = digit_bitmaps()
    labels = rng.permutation(np.arange(n) % 10)
    images = np.zeros((n, 1, size, size))
    for i, digit in enumerate(labels):
        top, left = rng.integers(0, size - 6), rng.integers(1, size - 5)
        slant = rng.integers(-1, 2)
        strength = rng.uniform(0.7, 1.0)
        for row in range(7):
            # The upper rows lean one pixel to one side, the lower ones to the other.
            lean = slant * int(np.sign(3 - row)) if row in (0, 1, 5, 6) else 0
            start = min(max(left + lean, 0), size - 5)
            images[i, 0, top + row, start : start + 5] = strength * bitmaps[digit, row]
        images[i, 0] = _blurred(images[i, 0])
    images += noise * rng.standard_normal(images.shape)
    return np.clip(images, 0.0, 1.0), labels.astype(np.int64)


def _blurred(image: np.ndarray) -> np.ndarray:
    """Return an image whose pixels have given some of their ink to each neighbor, as with a soft pen."""
    padded = np.pad(image, 1)
    neighbors = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return np.clip(0.8 * image + 0.12 * neighbors, 0.0, 1.0)


# Regression with noise that grows

X_RANGE = (0.0, 4.0)
"""Where `regression` draws its x."""


def regression(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a curve with Gaussian noise that grows with x: data whose uncertainty is known exactly.

    x is uniform on `X_RANGE`, and y = regression_mean(x) + regression_std(x) * a standard normal number.

    Args:
        rng: The only source of randomness.
        n: Number of points.

    Returns:
        x and y, each of shape (n,), unsorted.
    """
    x = rng.uniform(*X_RANGE, size=n)
    return x, regression_mean(x) + regression_std(x) * rng.standard_normal(n)


def regression_mean(x: np.ndarray) -> np.ndarray:
    """Return the mean of y at x: sin(2x) + x/2."""
    return np.sin(2 * x) + x / 2


def regression_std(x: np.ndarray) -> np.ndarray:
    """Return the standard deviation of y at x: 0.1 + 0.2 x."""
    return 0.1 + 0.2 * x


def regression_quantile(x: np.ndarray, level: float) -> np.ndarray:
    """Return the exact quantile of y at x.

    Args:
        x: Any shape.
        level: Between 0 and 1, exclusive.

    Returns:
        The shape of `x`.

    Raises:
        ValueError: If level is not strictly between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    return regression_mean(x) + regression_std(x) * _normal_quantile(level)


def _normal_quantile(level: float) -> float:
    """Return the standard normal quantile, by bisection to the last bit that erf resolves."""
    low, high = -10.0, 10.0
    while high - low > 1e-14:
        middle = (low + high) / 2
        if 0.5 * math.erfc(-middle / math.sqrt(2)) < level:
            low = middle
        else:
            high = middle
        if middle in (low, high) and math.nextafter(low, high) == high:
            break
    return (low + high) / 2


# Points in the plane


def two_moons(rng: np.random.Generator, n: int, *, noise: float = 0.08) -> tuple[np.ndarray, np.ndarray]:
    """Return points on two half circles that reach into each other, with Gaussian noise.

    Moon 0 is the upper half of the unit circle around (0, 0), moon 1 the lower half of that around (1, ½).

    Args:
        rng: The only source of randomness.
        n: Number of points; every second one lies on moon 1.
        noise: Standard deviation of what is added to each coordinate.

    Returns:
        Points, shape (n, 2), and the moon of each, shape (n,), 0 or 1.
    """
    moon = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, size=n)
    turned = 1 - 2 * moon
    points = np.stack([moon + turned * np.cos(angle), 0.5 * moon + turned * np.sin(angle)], axis=1)
    return points + noise * rng.standard_normal((n, 2)), moon


def ring_of_modes(modes: int = 8, *, radius: float = 2.0) -> np.ndarray:
    """Return the centers of equally spaced modes on a circle around the origin, the first at (radius, 0): (modes, 2)."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def normal_mixture(
    rng: np.random.Generator, n: int, centers: np.ndarray, *, std: float = 0.15, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return points of a mixture of round normal distributions.

    Args:
        rng: The only source of randomness.
        n: Number of points.
        centers: Means, shape (k, d).
        std: Standard deviation of each coordinate.
        weights: How likely each component is, shape (k,); equally likely if not given.

    Returns:
        Points, shape (n, d), and the component of each, shape (n,).
    """
    component = rng.choice(len(centers), size=n, p=weights)
    return centers[component] + std * rng.standard_normal((n, centers.shape[1])), component
