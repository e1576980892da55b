"""Subtracts the largest logit of the batch from every example."""

TASK = "losses"
HINT = """Large logits are fine as long as all examples have logits of about the same size. When one example's
logits lie thousands below another's, its probabilities become 0/0. Whose maximum do you subtract from an
example's logits?"""


def softmax_cross_entropy(logits, y):
    b = logits.shape[1]
    e = np.exp(logits - logits.max())
    p = e / e.sum(axis=0, keepdims=True)
    one_hot = (np.arange(len(logits))[:, None] == y).astype(logits.dtype)
    return float(-np.sum(np.log(p[y, np.arange(b)])) / b), (p - one_hot) / b
