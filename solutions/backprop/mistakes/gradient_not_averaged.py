"""Averages the loss over the batch but not its gradient."""

TASK = "losses"
HINT = """The loss is right for every batch; the gradient only for a batch of one. A gradient is the rate of
change of the loss you return: if one logit of ten moves by a little, by how much does the MEAN move?"""


def binary_cross_entropy(logits, y):
    b = logits.shape[1]
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    return float(np.sum(softplus - y.T * logits) / b), sigmoid(logits) - y.T


def softmax_cross_entropy(logits, y):
    b = logits.shape[1]
    shifted = logits - logits.max(axis=0, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))
    one_hot = (np.arange(len(logits))[:, None] == y).astype(logits.dtype)
    return float(-np.sum(logp * one_hot) / b), np.exp(logp) - one_hot
