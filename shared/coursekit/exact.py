"""Exact expectations for checks of generative models: no samples, no training, no tolerance of a check's own.

What a function makes of noise can be known exactly when the noise is an argument and the check chooses it well. Each tool
says when its answer is exact:

- `affine_law`: a sampler that is affine in its noise, from its impulse responses;
- `symmetric_noise`: an average of anything quadratic in Gaussian noise;
- `normal_nodes`: an expectation under a normal distribution, of a polynomial or of something smooth;
- `signs`, `subsets`, `tuples`: an average over finitely many cases, by having them all;
- `least_squares`: what training would end at, for a model that is linear in its weights;
- `Counted`: which calls a function makes of one that it is given.

Random functions that draw for themselves are the business of `coursekit.chance`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from coursekit.compare import Mismatch

MOST_ROWS = 100_000  # of an enumeration: what takes more belongs in no check


class AffineLaw(NamedTuple):
    """The normal distribution of `offset + z @ matrix` for a standard normal z.

    Attributes:
        offset: The answer to noise 0, shape (d,); the mean.
        matrix: The answers to the unit vectors less the offset, shape (n, d).
    """

    offset: np.ndarray
    matrix: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Shape (d,)."""
        return self.offset

    @property
    def covariance(self) -> np.ndarray:
        """Shape (d, d)."""
        return self.matrix.T @ self.matrix


def affine_law(
    sampler: Callable[[np.ndarray], object], n: int, *, rtol: float = 1e-8, name: str = "your sampler"
) -> AffineLaw:
    """The exact distribution of what a sampler makes of n standard normal numbers.

    Asks for n + 2 samples in one call: for noise 0, for each unit vector, and for a mixture of them all.

    Exact when the sampler is affine in its noise, as ancestral sampling, DDIM, Langevin steps and ODE solvers are where the
    score is that of a normal distribution. The mixture tests this, so a sampler that isn't affine is told so and gets no
    covariance.

    Args:
        sampler: Takes noise of shape (N, n), float64, and returns N samples, shape (N, d) or (N,). A check wraps the
            student's function: it cuts the row into the noises of the steps.
        n: How many normal numbers one sample takes.
        rtol: How far the mixture's sample may be from affine, relative to the largest sample.
        name: What a message calls the sampler.

    Raises:
        Mismatch: If the samples' shape is wrong, or they are not affine in the noise.
    """
    mixture = np.cos(np.arange(1, n + 1)) + 0.5  # of no symmetry that a sampler could share
    noise = np.concatenate([np.zeros((1, n)), np.eye(n), mixture[None]])
    samples = np.asarray(sampler(noise), dtype=float)
    if samples.ndim not in (1, 2) or len(samples) != n + 2:
        raise Mismatch(f"{name} returned samples of shape {samples.shape} for {n + 2} rows of noise")
    samples = samples.reshape(n + 2, -1)
    offset, matrix = samples[0], samples[1:-1] - samples[0]
    departure = np.abs(offset + mixture @ matrix - samples[-1]).max(initial=0.0)
    if not departure <= rtol * max(1.0, np.abs(samples).max(initial=0.0)):  # NaN as well
        raise Mismatch(f"{name} is not affine in its noise, as it is for the score of a normal distribution")
    return AffineLaw(offset, matrix)


def symmetric_noise(n: int, *, std: float = 1.0) -> np.ndarray:
    """2n vectors with mean 0 and covariance std² I, exactly: ±√n std e_i.

    An average over them equals the expectation under N(0, std² I) for every polynomial of degree up to 3; so bias,
    variance and squared errors of what is linear in the noise come out exact.

    Returns:
        Shape (2n, n), float64.
    """
    return math.sqrt(n) * std * np.concatenate([np.eye(n), -np.eye(n)])


def normal_nodes(order: int, *, d: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights whose weighted sum is an expectation under N(0, I) in d dimensions: Gauss and Hermite's.

    Exact for polynomials of degree up to 2 order − 1 in each coordinate. For smooth functions the error falls fast with
    the order: E[cos Z] with 12 points is right to 1e-11.

    Returns:
        Points, shape (order**d,) if d is 1, else (order**d, d), and weights, shape (order**d,), which add up to 1.

    Raises:
        ValueError: If there would be more than 100,000 points.
    """
    _check_rows(order**d, f"{order} points in each of {d} dimensions")
    points, weights = np.polynomial.hermite_e.hermegauss(order)
    weights = weights / weights.sum()
    if d == 1:
        return points, weights
    return tuples(points, d), tuples(weights, d).prod(axis=1)


def signs(n: int) -> np.ndarray:
    """All vectors of n signs, shape (2^n, n), float64: the average of v vᵀ over them is the identity."""
    _check_rows(2**n, f"vectors of {n} signs")
    return tuples([1.0, -1.0], n)


def subsets(n: int, size: int) -> np.ndarray:
    """All sets of `size` of the numbers 0 … n − 1, one a row in ascending order: every batch drawn without replacement."""
    _check_rows(math.comb(n, size), f"sets of {size} of {n}")
    return np.array(list(itertools.combinations(range(n), size)), dtype=int).reshape(math.comb(n, size), size)


def tuples(values: Sequence[float] | np.ndarray, n: int) -> np.ndarray:
    """All rows of n of these values, repetitions allowed, shape (len(values)^n, n): every sample of size n."""
    values = np.asarray(values)
    _check_rows(len(values) ** n, f"rows of {n} of {len(values)} values")
    return np.array(list(itertools.product(values.tolist(), repeat=n)), dtype=values.dtype).reshape(len(values) ** n, n)


def least_squares(features: object, targets: object, *, weights: object = None) -> np.ndarray:
    """The w that minimizes Σ weights · (targets − features @ w)²: where training of a linear model ends.

    With `normal_nodes` for the data it minimizes the expected loss, and no network is trained.

    Args:
        features: Shape (N, k).
        targets: Shape (N,) or (N, m).
        weights: Of the rows, shape (N,), not negative; 1 each if not given.

    Returns:
        Shape (k,) or (k, m).

    Raises:
        ValueError: If more than one w minimizes it: then no answer is the right one.
    """
    features, targets = np.asarray(features, dtype=float), np.asarray(targets, dtype=float)
    roots = np.sqrt(np.ones(len(features)) if weights is None else np.asarray(weights, dtype=float))
    scaled = targets * (roots if targets.ndim == 1 else roots[:, None])
    found, _, rank, _ = np.linalg.lstsq(features * roots[:, None], scaled, rcond=None)
    if rank < features.shape[1]:
        raise ValueError(f"the best weights are not unique: {features.shape[1]} features of rank {rank}")
    return found


class Counted:
    """A function that remembers with what it was called, to be handed to a student's function.

    Attributes:
        calls: The positional arguments of each call so far.
    """

    def __init__(self, function: Callable) -> None:
        self.function = function
        self.calls: list[tuple] = []

    def __call__(self, *args: object, **kwargs: object) -> object:
        self.calls.append(args)
        return self.function(*args, **kwargs)


def _check_rows(count: int, what: str) -> None:
    if count > MOST_ROWS:
        raise ValueError(f"{what} are {count:,} rows; at most {MOST_ROWS:,}")
