"""Feeds full chunks only."""

TASK = "model"
HINT = """You are right when the chunk size divides the length of the prompt; otherwise its last
tokens are never fed. What about a prompt of 8 tokens in chunks of 3?"""


def prefill(step, prompt, *, chunk_size):
    chunk_size = min(chunk_size, prompt.shape[-1])
    for index in range(prompt.shape[-1] // chunk_size):
        logits = step(prompt[..., index * chunk_size : (index + 1) * chunk_size])
    return logits[..., -1, :]
