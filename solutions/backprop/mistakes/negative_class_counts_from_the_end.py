"""Accepts class -1, which NumPy reads as the last class."""

TASK = "losses"
HINT = """Right labels give the right loss; class -1 gives a loss too, where the docstring promises an error.
Data sets often mark a missing label by -1: what would training on yours teach about those examples?"""


def softmax_cross_entropy(logits, y):
    b = logits.shape[1]
    shifted = logits - logits.max(axis=0, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))
    d_logits = np.exp(logp)
    d_logits[y, np.arange(b)] -= 1
    return float(-np.sum(logp[y, np.arange(b)]) / b), d_logits / b
