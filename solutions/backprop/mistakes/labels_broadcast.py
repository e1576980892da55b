"""Combines logits (1, b) with labels (b, 1): NumPy pairs every example with every label."""

TASK = "losses"
HINT = """Your binary loss is right for one example and for nothing else, and its gradient has the shape (b,
b). What does NumPy make of a row minus a column, and how many example-label pairs should there be?"""


def binary_cross_entropy(logits, y):
    b = logits.shape[1]
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    return float(np.mean(softplus - y * logits)), (sigmoid(logits) - y) / b
