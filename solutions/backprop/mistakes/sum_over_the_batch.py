"""Adds the losses of the examples up where their mean is due; the gradient follows."""

TASK = "losses"
HINT = """Loss and gradient are right for a batch of one example, and too large for every other, by a factor
that grows with the batch. If the same ten players were listed twice, should the loss change?"""


def binary_cross_entropy(logits, y):
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    return float(np.sum(softplus - y.T * logits)), sigmoid(logits) - y.T


def softmax_cross_entropy(logits, y):
    shifted = logits - logits.max(axis=0, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))
    one_hot = (np.arange(len(logits))[:, None] == y).astype(logits.dtype)
    return float(-np.sum(logp * one_hot)), np.exp(logp) - one_hot
