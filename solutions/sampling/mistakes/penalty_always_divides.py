"""Divides negative logits by the penalty too."""

TASK = "pipeline"
HINT = """Tokens with a positive logit become less likely, those with a negative one more likely. In which
direction does dividing by 2 move -3, and which operation moves it the other way?"""


def repetition_penalty(logits, tokens, penalty):
    tokens = _check_tokens(tokens, logits)
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, tokens, True)
    return torch.where(seen, logits / penalty, logits)
