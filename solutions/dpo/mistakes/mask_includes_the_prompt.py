"""Marks the prompt's tokens too."""

TASK = "logps"
HINT = """The tokens are right and the padding is left out, but more is marked than the response. Who wrote
the prompt: the policy, or the user? Whose words is the policy to be judged by?"""

_right_collate = collate


def collate(prompts, responses, *, pad):
    tokens, mask = _right_collate(prompts, responses, pad=pad)
    for row, prompt in enumerate(prompts):
        mask[row, : len(prompt)] = True
    return tokens, mask
