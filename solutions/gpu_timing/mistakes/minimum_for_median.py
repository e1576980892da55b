"""Reports the shortest time."""

TASK = "summary"
HINT = """Your number is too small, and gets smaller the more samples there are. If noise goes both
ways, what does the luckiest of a hundred samples say about the next one?"""


def summarise(samples):
    samples = _checked_samples(samples)
    low, middle, high = np.quantile(samples, [0.2, 0.5, 0.8])
    return {"median_ms": float(np.min(samples)), "p20_ms": float(low), "p80_ms": float(high), "n": len(samples)}
