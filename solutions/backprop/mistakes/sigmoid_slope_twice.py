"""Multiplies (p - y) by the sigmoid's slope, as one would for a squared error."""

TASK = "losses"
HINT = """Your binary loss is right. Its gradient vanishes where the network is certain and WRONG, which is
where it should be largest. Multiply dC/dp by dp/dz on paper: what cancels, and is the sigmoid's slope still
there afterwards?"""


def binary_cross_entropy(logits, y):
    b = logits.shape[1]
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    p = sigmoid(logits)
    return float(np.sum(softplus - y.T * logits) / b), (p - y.T) * p * (1 - p) / b
