"""Takes the mean of each resample."""

TASK = "summary"
HINT = """Your resamples are the right ones, and what you take of each is moved by outliers. Of
which statistic do you want to know the spread?"""


def bootstrap_medians(samples, u):
    samples, u = _checked_samples(samples), np.asarray(u, dtype=np.float64)
    if u.ndim != 2 or u.shape[1] != len(samples) or not ((u >= 0) & (u < 1)).all():
        raise ValueError(f"u must lie in [0, 1) and have shape (R, {len(samples)}), got shape {u.shape}")
    return np.mean(samples[np.floor(u * len(samples)).astype(int)], axis=1)
