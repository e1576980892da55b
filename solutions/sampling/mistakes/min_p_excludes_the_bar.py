"""Keeps only what is strictly above the bar."""

TASK = "top_p"
HINT = """Your filter is right for min_p between 0 and 1, and at min_p = 1 nothing is left. The best token
is exactly as probable as the best token: which comparison keeps it?"""


def keep_min_p(logits, min_p):
    kept = torch.softmax(logits, dim=-1) > min_p * torch.softmax(logits, dim=-1).amax(dim=-1, keepdim=True)
    if min_p == 0:
        kept = logits > NEVER
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
