"""Ends the whole batch when one row ends."""

TASK = "generate"
HINT = """As long as no row ends, or all end together, you are right. Otherwise every row stops with
the first one that does. Whose eos is it?"""


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
        if any(ended):
            break
        new = torch.tensor(best)[:, None]
    return rows
