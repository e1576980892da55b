"""Marks everything after the prompt."""

TASK = "logps"
HINT = """The longest row of a batch is right, and in shorter ones too much is marked. Does the
log-probability of a response depend on what else happens to be in its batch?"""

_right_collate = collate


def collate(prompts, responses, *, pad):
    tokens, mask = _right_collate(prompts, responses, pad=pad)
    for row, prompt in enumerate(prompts):
        mask[row, len(prompt) :] = True
    return tokens, mask
