"""Takes turns, but always a before b."""

TASK = "compare"
HINT = """Your turns are fair up to half a pair: on a device that slows down, each sample of b
comes later than its partner. How can the lead change hands?"""


def alternate(sample_a, sample_b, n_pairs):
    if n_pairs < 2 or n_pairs % 2:
        raise ValueError(f"n_pairs must be even and at least 2, got {n_pairs}")
    sample_a()
    sample_b()
    times_a, times_b = [], []
    for i in range(n_pairs):
        turns = [(times_a, sample_a), (times_b, sample_b)]
        for times, sample in turns:
            times.append(sample())
    return np.array(times_a, dtype=np.float64), np.array(times_b, dtype=np.float64)
