"""Takes the logarithm of a softmax; forecasts that are far off get an infinite loss."""

TASK = "language_model"
HINT = """For ordinary logits you are right; when a forecast is far off, your loss is infinite. A
probability of exp(-1000) is not 0, but what is it in floating point, and what is its logarithm? Can
the log-probability be had without the probability?"""


def next_token_loss(logits, tokens, *, mask=None):
    forecasts, targets = logits[..., :-1, :], tokens[..., 1:]
    logp = softmax(forecasts).log()
    surprise = -logp.gather(-1, targets[..., None]).squeeze(-1)
    return surprise.mean() if mask is None else surprise[mask[..., 1:]].mean()
