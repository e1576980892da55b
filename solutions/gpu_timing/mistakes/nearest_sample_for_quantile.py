"""Takes the nearest sample instead of interpolating."""

TASK = "summary"
HINT = """Your quantiles are right where (n - 1) q is a whole number and off where it is not: with
an even number of samples also the median. What lies halfway between two samples?"""


def summarise(samples):
    samples = _checked_samples(samples)
    low, middle, high = np.quantile(samples, [0.2, 0.5, 0.8], method="lower")
    return {"median_ms": float(middle), "p20_ms": float(low), "p80_ms": float(high), "n": len(samples)}
