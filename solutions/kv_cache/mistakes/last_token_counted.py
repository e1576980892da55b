"""Counts the last generated token as fed."""

TASK = "memory"
HINT = """Without a cache you are right; with one, you count a token too many. Generate a single
token after a prompt of three: how many tokens has the model been fed?"""


def tokens_fed(n_prompt, n_new, *, cached):
    if cached:
        return n_prompt + n_new
    return sum(n_prompt + i for i in range(n_new))
