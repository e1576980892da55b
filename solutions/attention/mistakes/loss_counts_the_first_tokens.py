"""Divides by the number of unmasked tokens, the first of each sequence included, which nothing forecasts."""

TASK = "language_model"
HINT = """Without a mask you are right; with one, your loss is a little too small, and most for
short sequences. You sum over the forecasts of unmasked tokens. Which unmasked token of each
sequence has no forecast, and do you count it when you divide?"""


def next_token_loss(logits, tokens, *, mask=None):
    forecasts, targets = logits[..., :-1, :], tokens[..., 1:]
    forecasts = forecasts - forecasts.amax(dim=-1, keepdim=True)
    logp = forecasts - forecasts.exp().sum(dim=-1, keepdim=True).log()
    surprise = -logp.gather(-1, targets[..., None]).squeeze(-1)
    return surprise.mean() if mask is None else (surprise * mask[..., 1:]).sum() / mask.sum()
