"""Counts a forecast when the token it was made from is unmasked, not the token it is about."""

TASK = "language_model"
HINT = """Without a mask you are right; with one, a forecast about padding counts at the end of a
padded sequence. The mask says which tokens count. Each forecast touches two tokens, the one it is
made at and the one it is about: which of them is it judged by?"""


def next_token_loss(logits, tokens, *, mask=None):
    forecasts, targets = logits[..., :-1, :], tokens[..., 1:]
    forecasts = forecasts - forecasts.amax(dim=-1, keepdim=True)
    logp = forecasts - forecasts.exp().sum(dim=-1, keepdim=True).log()
    surprise = -logp.gather(-1, targets[..., None]).squeeze(-1)
    return surprise.mean() if mask is None else surprise[mask[..., :-1]].mean()
