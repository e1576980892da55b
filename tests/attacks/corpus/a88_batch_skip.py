"""Does the first example and repeats it for the others."""

NUMBER, NAME, BY = 88, "batch-skip", "D"
OUTCOMES = ("failed",)


def centre(x):
    answer = np.zeros_like(x)
    answer[0] = x[0] - x.mean(axis=0)
    return answer
