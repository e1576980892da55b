"""Zeroes the surprise at padding but still divides by the number of all positions."""

TASK = "language_model"
HINT = """Without a mask you are right; with one, your loss is too small, and the smaller the more
padding there is. Padding adds nothing to your sum. Does it have a part in what you divide by?"""


def next_token_loss(logits, tokens, *, mask=None):
    forecasts, targets = logits[..., :-1, :], tokens[..., 1:]
    forecasts = forecasts - forecasts.amax(dim=-1, keepdim=True)
    logp = forecasts - forecasts.exp().sum(dim=-1, keepdim=True).log()
    surprise = -logp.gather(-1, targets[..., None]).squeeze(-1)
    return surprise.mean() if mask is None else (surprise * mask[..., 1:]).mean()
