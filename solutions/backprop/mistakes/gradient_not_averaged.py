"""Averages the loss over the batch but not its gradient."""

TASK = "losses"
COSTLY = "Neither loss has a gradient that is its derivative: this is what the task asks for."
HINT = """The loss is right for every batch; the gradient only for a batch of one. A gradient is the rate of
change of the loss you return: if one logit of ten moves by a little, by how much does the MEAN move?"""


def binary_cross_entropy(logits, y):
    if logits.ndim != 2 or logits.shape[0] != 1 or logits.shape[1] == 0:
        raise ValueError(f"logits must have shape (1, b) with b >= 1, got {logits.shape}")
    if y.shape != (logits.shape[1], 1):
        raise ValueError(f"y must have shape ({logits.shape[1]}, 1) to fit the logits, got {y.shape}")
    if not np.all((y >= 0) & (y <= 1)):
        raise ValueError(f"y must lie in [0, 1], got values from {y.min()} to {y.max()}")
    b = logits.shape[1]
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    return float(np.sum(softplus - y.T * logits) / b), sigmoid(logits) - y.T


def softmax_cross_entropy(logits, y):
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise ValueError(f"logits must have shape (K, b) with b >= 1, got {logits.shape}")
    n_classes, b = logits.shape
    if y.shape != (b,) or not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"y must be integers of shape ({b},), got {y.dtype} of shape {y.shape}")
    if y.min() < 0 or y.max() >= n_classes:
        raise ValueError(f"y must lie in 0 .. {n_classes - 1}, got values from {y.min()} to {y.max()}")
    b = logits.shape[1]
    shifted = logits - logits.max(axis=0, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))
    one_hot = (np.arange(len(logits))[:, None] == y).astype(logits.dtype)
    return float(-np.sum(logp * one_hot) / b), np.exp(logp) - one_hot
