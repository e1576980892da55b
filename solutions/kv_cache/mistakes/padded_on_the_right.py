"""Puts the filler behind the prompts."""

TASK = "generate"
HINT = """Prompts of one length are right. For shorter ones the filler stands behind the text. All
rows are continued from the last column: what stands there in a short row?"""


def left_pad(prompts, *, pad):
    _check_request(prompts, 0)
    longest = max(map(len, prompts))
    padding = [longest - len(prompt) for prompt in prompts]
    rows = [list(prompt) + [pad] * n for n, prompt in zip(padding, prompts, strict=True)]
    return torch.tensor(rows), torch.tensor(padding)
