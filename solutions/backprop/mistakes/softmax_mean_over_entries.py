"""Averages over all K * b entries of the logits, not over the b examples."""

TASK = "losses"
HINT = """Your softmax loss is too small by a factor that is the same for every batch size and grows with the
number of classes. With equal logits for ten classes the loss should be log 10: over how many things do you
average?"""


def softmax_cross_entropy(logits, y):
    shifted = logits - logits.max(axis=0, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))
    one_hot = (np.arange(len(logits))[:, None] == y).astype(logits.dtype)
    return float(-np.mean(logp * one_hot)), (np.exp(logp) - one_hot) / logits.size
