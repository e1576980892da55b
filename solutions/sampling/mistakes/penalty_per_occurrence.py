"""Applies the penalty once for every occurrence."""

TASK = "pipeline"
HINT = """You are right where no token occurs twice. A token that occurred three times is penalised more
than one that occurred once: does the handout count occurrences, or ask whether there was one?"""


def repetition_penalty(logits, tokens, penalty):
    tokens = _check_tokens(tokens, logits)
    times = torch.zeros_like(logits).scatter_add(-1, tokens, torch.ones_like(tokens, dtype=logits.dtype))
    strength = penalty**times
    return torch.where(logits > 0, logits / strength, logits * strength)
