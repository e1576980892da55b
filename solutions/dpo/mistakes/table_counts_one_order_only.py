"""Only i < j, and of those only the case that i wins."""

TASK = "table"
HINT = """Your loss asks the response with the lower number to win in every pair, however the preferences are.
A pair is compared many times and goes both ways. What does it cost when j is preferred?"""


def population_dpo_loss(logits, reference_logp, preferences, *, beta):
    n, k = logits.shape
    reward = beta * (logits.log_softmax(-1) - reference_logp.detach())
    margin = reward[:, :, None] - reward[:, None, :]
    losses = -preferences * F.logsigmoid(margin)
    return losses.triu(1).sum() / (n * k * (k - 1) / 2)
