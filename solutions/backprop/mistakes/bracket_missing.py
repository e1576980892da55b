"""Uses -y log p + (1 - y) log(1 - p), without the bracket after the minus sign."""

TASK = "losses"
HINT = """Your binary loss is right for examples labelled 1, and has the wrong sign for those labelled 0. A
player who is not drafted (y = 0) and was given a 99% chance should cost a lot: what does your formula
charge?"""


def binary_cross_entropy(logits, y):
    b = logits.shape[1]
    log_p = -(np.maximum(-logits, 0) + np.log1p(np.exp(-np.abs(logits))))
    log_not_p = log_p - logits
    p = sigmoid(logits)
    loss = np.sum(-y.T * log_p + (1 - y.T) * log_not_p) / b
    return float(loss), (-y.T * (1 - p) - (1 - y.T) * p) / b
