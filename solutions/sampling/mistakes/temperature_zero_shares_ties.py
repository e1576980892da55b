"""At T = 0 shares the mass among tied maxima."""

TASK = "temperature"
HINT = """T = 0 is right where one logit is the largest, and spread over several tokens where they tie for
the maximum. The handout says that T = 0 is what `greedy` does: how many tokens does `greedy` give for
such a row?"""


def apply_temperature(logits, temperature):
    if temperature == 0:
        best = logits == logits.amax(dim=-1, keepdim=True)
        return torch.log_softmax(torch.zeros_like(logits).masked_fill(~best, NEVER), dim=-1)
    return torch.log_softmax(logits / temperature, dim=-1)
