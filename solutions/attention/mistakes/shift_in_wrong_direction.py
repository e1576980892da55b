"""Judges each forecast by the token before it."""

TASK = "language_model"
HINT = """You pair each position with a neighbour, as you should, but with the wrong one: the logits
of the first position have no part in your loss and those of the last do. The logits at position t
have seen tokens 0 to t. Which token should they be judged by?"""


def next_token_loss(logits, tokens, *, mask=None):
    forecasts, targets = logits[..., 1:, :], tokens[..., :-1]
    forecasts = forecasts - forecasts.amax(dim=-1, keepdim=True)
    logp = forecasts - forecasts.exp().sum(dim=-1, keepdim=True).log()
    surprise = -logp.gather(-1, targets[..., None]).squeeze(-1)
    return surprise.mean() if mask is None else surprise[mask[..., :-1]].mean()
