"""Divides by the number of ordered pairs."""

TASK = "table"
HINT = """Your loss is half of what is due: log 2 / 2 at the reference. The two ways in which a pair can go
have probabilities that add up to 1. Are they one pair or two?"""

_right_population = population_dpo_loss


def population_dpo_loss(logits, reference_logp, preferences, *, beta):
    return _right_population(logits, reference_logp, preferences, beta=beta) / 2
