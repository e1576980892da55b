"""Passes 0.2 and 0.8 where percent are expected."""

TASK = "summary"
HINT = """Your median is right, and both of your other quantiles lie close to the shortest sample.
Does the function that you use count from 0 to 1, or from 0 to 100?"""


def summarise(samples):
    samples = _checked_samples(samples)
    low, middle, high = np.percentile(samples, [0.2, 50, 0.8])
    return {"median_ms": float(middle), "p20_ms": float(low), "p80_ms": float(high), "n": len(samples)}
