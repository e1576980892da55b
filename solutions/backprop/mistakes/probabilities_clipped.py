"""Clips p away from 0 and 1 before taking the logarithm, so that large losses are cut off."""

TASK = "losses"
HINT = """Your binary loss is right for moderate logits, and stops growing once a logit is far on the wrong
side. At z = -800 and y = 1 the loss is 800: where on the way from z to log p did that number get lost?"""


def binary_cross_entropy(logits, y):
    b = logits.shape[1]
    p = np.clip(sigmoid(logits), 1e-12, 1 - 1e-12)
    return float(-np.sum(y.T * np.log(p) + (1 - y.T) * np.log(1 - p)) / b), (sigmoid(logits) - y.T) / b
