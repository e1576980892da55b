"""Only puts the samples into another order."""

TASK = "summary"
HINT = """All of your resampled medians are the same number. If every sample is drawn exactly once,
what is there left to vary?"""


def bootstrap_medians(samples, u):
    samples, u = _checked_samples(samples), np.asarray(u, dtype=np.float64)
    if u.ndim != 2 or u.shape[1] != len(samples) or not ((u >= 0) & (u < 1)).all():
        raise ValueError(f"u must lie in [0, 1) and have shape (R, {len(samples)}), got shape {u.shape}")
    return np.median(samples[np.argsort(u, axis=1)], axis=1)
