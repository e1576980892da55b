"""Averages within each sequence first, so tokens of short sequences weigh more."""

TASK = "language_model"
HINT = """For sequences of one length you are right; with different lengths, a token of a short
sequence counts for more than one of a long sequence. The mean runs over tokens. Is a mean of means
the same thing?"""


def next_token_loss(logits, tokens, *, mask=None):
    forecasts, targets = logits[..., :-1, :], tokens[..., 1:]
    forecasts = forecasts - forecasts.amax(dim=-1, keepdim=True)
    logp = forecasts - forecasts.exp().sum(dim=-1, keepdim=True).log()
    surprise = -logp.gather(-1, targets[..., None]).squeeze(-1)
    if mask is None:
        return surprise.mean()
    counts = mask[..., 1:].to(surprise.dtype)
    return ((surprise * counts).sum(-1) / counts.sum(-1)).mean()
