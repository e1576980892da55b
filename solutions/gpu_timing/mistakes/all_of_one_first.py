"""Takes all samples of a, then all of b."""

TASK = "compare"
HINT = """On a device that keeps its pace your samples are fine. On one that slows down, b is
always the slower of the two, whichever it is. What has happened to the device by the time b gets
its turn?"""


def alternate(sample_a, sample_b, n_pairs):
    if n_pairs < 2 or n_pairs % 2:
        raise ValueError(f"n_pairs must be even and at least 2, got {n_pairs}")
    sample_a()
    sample_b()
    times_a, times_b = [], []
    for _ in range(n_pairs):
        times_a.append(sample_a())
    for _ in range(n_pairs):
        times_b.append(sample_b())
    return np.array(times_a, dtype=np.float64), np.array(times_b, dtype=np.float64)
