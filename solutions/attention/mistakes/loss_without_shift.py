"""Judges each forecast by the token it was made from."""

TASK = "language_model"
HINT = """All T positions have a part in your loss, the last one too, although nobody knows what
comes after it. A model that repeats its input would have no loss at all. What are the logits at
position t a forecast of?"""


def next_token_loss(logits, tokens, *, mask=None):
    logits = logits - logits.amax(dim=-1, keepdim=True)
    logp = logits - logits.exp().sum(dim=-1, keepdim=True).log()
    surprise = -logp.gather(-1, tokens[..., None]).squeeze(-1)
    return surprise.mean() if mask is None else surprise[mask].mean()
