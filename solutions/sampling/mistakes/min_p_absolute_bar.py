"""Compares probabilities with min_p itself."""

TASK = "top_p"
HINT = """Where one token has nearly all the mass you keep the right tokens; where the distribution is
flat you keep too few, or none. Relative to what is min_p measured?"""


def keep_min_p(logits, min_p):
    kept = torch.softmax(logits, dim=-1) >= min_p
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
