"""Scores token t with the logits at position t."""

TASK = "logps"
HINT = """Sums and masks are right, but each token is scored by logits that have already seen it. The
logits at position t come after reading token t. Which token are they about?"""


def response_logps(logits, tokens, mask):
    mask = torch.cat([torch.zeros_like(mask[..., :1]), mask[..., 1:]], -1)
    targets = tokens.masked_fill(~mask, 0)
    picked = logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return picked.masked_fill(~mask, 0.0).sum(-1)
