"""Exponentiates the logits as they are."""

TASK = "losses"
HINT = """Your softmax loss is right for moderate logits, and infinite or NaN for large ones. Adding one
number to all logits of an example changes none of its probabilities: which number would keep every
exponential small enough to store?"""


def softmax_cross_entropy(logits, y):
    b = logits.shape[1]
    e = np.exp(logits)
    p = e / e.sum(axis=0, keepdims=True)
    one_hot = (np.arange(len(logits))[:, None] == y).astype(logits.dtype)
    return float(-np.sum(np.log(p[y, np.arange(b)])) / b), (p - one_hot) / b
