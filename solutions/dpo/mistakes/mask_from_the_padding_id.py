"""Finds padding by its id, and loses the eos when that is what rows are padded with."""

TASK = "logps"
HINT = """You are right as long as the padding's id occurs nowhere else. When rows are filled with a token
that responses use too, such as eos, some tokens of the response are no longer marked. What do you know
about where a response ends besides its tokens?"""

_right_collate = collate


def collate(prompts, responses, *, pad):
    tokens, _ = _right_collate(prompts, responses, pad=pad)
    mask = tokens != pad
    for row, prompt in enumerate(prompts):
        mask[row, : len(prompt)] = False
    return tokens, mask
