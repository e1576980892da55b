"""Reports the mean."""

TASK = "summary"
HINT = """Without outliers your number is close; one sample that is eight times too long moves it,
though nothing about the kernel changed. Which statistic is not moved by how far away the largest
sample is?"""


def summarise(samples):
    samples = _checked_samples(samples)
    low, middle, high = np.quantile(samples, [0.2, 0.5, 0.8])
    return {"median_ms": float(np.mean(samples)), "p20_ms": float(low), "p80_ms": float(high), "n": len(samples)}
