"""Centering and scaling of features."""

import numpy as np


def centre(x: np.ndarray) -> np.ndarray:
    """The data with every feature's mean moved to zero.

    Args:
        x: Shape (n, f), one example per row, n at least 1.

    Returns:
        Shape (n, f): x minus the mean of each feature over the examples.

    Raises:
        ValueError: If x is not two-dimensional.
    """
    if x.ndim != 2:
        raise ValueError(f"x must have shape (n, f), got {x.shape}")
    # BEGIN SOLUTION centre
    return x - x.mean(axis=0)
    # END SOLUTION centre


def standardise(x: np.ndarray, *, eps: float = 1e-5) -> np.ndarray:
    """The data with every feature centered and scaled to unit variance.

    Args:
        x: Shape (n, f), one example per row, n at least 1.
        eps: Added to the population variance (divide by n), at least 0.

    Returns:
        Shape (n, f). With eps = 0, each feature that varies has variance 1.

    Raises:
        ValueError: If x is not two-dimensional.

    Example:
        A feature (1, 3) has mean 2 and variance 1; with eps = 3 it becomes (-1/2, 1/2).
    """
    if x.ndim != 2:
        raise ValueError(f"x must have shape (n, f), got {x.shape}")
    # Steps: the centered data; the spread of each feature; the ratio.
    # BEGIN SOLUTION standardise
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    # END SOLUTION standardise
