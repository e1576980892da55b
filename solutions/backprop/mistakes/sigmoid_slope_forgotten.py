"""Returns dC/dp where dC/dz is due: the sigmoid's own slope is missing from the chain."""

TASK = "losses"
HINT = """Your binary loss is right; its gradient is the rate of change in the PROBABILITY, and the logit is
what the network hands over. When a logit of 5 moves by 0.1, how much does its probability move? Which link of
the chain says so?"""


def binary_cross_entropy(logits, y):
    b = logits.shape[1]
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    p = sigmoid(logits)
    return float(np.sum(softplus - y.T * logits) / b), -(y.T / p - (1 - y.T) / (1 - p)) / b
