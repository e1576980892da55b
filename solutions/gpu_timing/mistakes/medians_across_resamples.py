"""Takes the median over the resamples instead of over each one's samples."""

TASK = "summary"
HINT = """You return as many numbers as there are samples, where one for each row of u is due.
Which axis of u is the resample, and which is the sample in it?"""


def bootstrap_medians(samples, u):
    samples, u = _checked_samples(samples), np.asarray(u, dtype=np.float64)
    if u.ndim != 2 or u.shape[1] != len(samples) or not ((u >= 0) & (u < 1)).all():
        raise ValueError(f"u must lie in [0, 1) and have shape (R, {len(samples)}), got shape {u.shape}")
    return np.median(samples[np.floor(u * len(samples)).astype(int)], axis=0)
