"""Normalises each class over the examples, in place of each example over the classes."""

TASK = "losses"
HINT = """Your probabilities sum to 1 along a row of the logits, so the examples of a batch compete for each
class. Which numbers are one example's distribution here, and along which axis do they lie?"""


def softmax_cross_entropy(logits, y):
    b = logits.shape[1]
    shifted = logits - logits.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    one_hot = (np.arange(len(logits))[:, None] == y).astype(logits.dtype)
    return float(-np.sum(logp * one_hot) / b), (np.exp(logp) - one_hot) / b
