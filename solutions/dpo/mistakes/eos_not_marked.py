"""Leaves the last token of each response out of the mask."""

TASK = "logps"
HINT = """All but one token of each response is marked. Ending is a decision too: a policy that was never
judged for it may never stop. Which token stands for it?"""

_right_collate = collate


def collate(prompts, responses, *, pad):
    tokens, mask = _right_collate(prompts, responses, pad=pad)
    for row, (prompt, response) in enumerate(zip(prompts, responses)):
        mask[row, len(prompt) + len(response) - 1] = False
    return tokens, mask
