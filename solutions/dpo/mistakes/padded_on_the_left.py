"""Puts the filler in front."""

TASK = "logps"
HINT = """The longest row is right; shorter ones begin with filler. That is the way for generating, where all
rows must end together. Which side does the docstring ask for here?"""

_right_collate = collate


def collate(prompts, responses, *, pad):
    tokens, mask = _right_collate(prompts, responses, pad=pad)
    for row, (prompt, response) in enumerate(zip(prompts, responses)):
        extra = tokens.shape[1] - len(prompt) - len(response)
        tokens[row], mask[row] = tokens[row].roll(extra), mask[row].roll(extra)
    return tokens, mask
