"""Rounds to the nearest sample, so that the first and the last are drawn half as often."""

TASK = "summary"
HINT = """Many of your resampled medians are right, some are not. Cut [0, 1) into n pieces, one for
each sample: are yours of equal length?"""


def bootstrap_medians(samples, u):
    samples, u = _checked_samples(samples), np.asarray(u, dtype=np.float64)
    if u.ndim != 2 or u.shape[1] != len(samples) or not ((u >= 0) & (u < 1)).all():
        raise ValueError(f"u must lie in [0, 1) and have shape (R, {len(samples)}), got shape {u.shape}")
    return np.median(samples[np.rint(u * (len(samples) - 1)).astype(int)], axis=1)
