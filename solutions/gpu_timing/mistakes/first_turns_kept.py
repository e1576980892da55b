"""Throws no first call away."""

TASK = "compare"
HINT = """Your order is right and starts two calls too early: the first sample of each is far too
long. What does the first call of a kernel do?"""


def alternate(sample_a, sample_b, n_pairs):
    if n_pairs < 2 or n_pairs % 2:
        raise ValueError(f"n_pairs must be even and at least 2, got {n_pairs}")
    times_a, times_b = [], []
    for i in range(n_pairs):
        turns = [(times_a, sample_a), (times_b, sample_b)]
        for times, sample in turns if i % 2 == 0 else reversed(turns):
            times.append(sample())
    return np.array(times_a, dtype=np.float64), np.array(times_b, dtype=np.float64)
