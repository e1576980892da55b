"""Margins of log pi alone."""

TASK = "table"
HINT = """Your policy ends where a uniform reference would lead it. At the reference the loss should be log 2 in
every table. Of what is the implicit reward a ratio?"""

_right_population = population_dpo_loss


def population_dpo_loss(logits, reference_logp, preferences, *, beta):
    return _right_population(logits, torch.zeros_like(logits), preferences, beta=beta)
