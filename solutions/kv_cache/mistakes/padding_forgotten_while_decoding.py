"""Hands the padding over with the prompts and zeros with every later token."""

TASK = "generate"
HINT = """The first token of every row is right, and so is all that follows in the longest row; the
shorter ones go astray from their second token on. After the prompts, is their filler still in the
cache?"""


def generate_batch(step, prompts, *, max_len, eos=None, pad=0):
    _check_request(prompts, max_len)
    new, padding = left_pad(prompts, pad=pad)
    rows = [list(prompt) for prompt in prompts]
    ended = [False] * len(rows)
    for _ in range(max_len):
        best = step(new, padding)[:, -1].argmax(-1).tolist()
        for index, token in enumerate(best):
            if not ended[index]:
                rows[index].append(token)
                ended[index] = token == eos
            if ended[index]:
                best[index] = pad
        if all(ended):
            break
        new = torch.tensor(best)[:, None]
        padding = torch.zeros_like(padding)
    return rows
