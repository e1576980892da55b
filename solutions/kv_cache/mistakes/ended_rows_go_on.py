"""Keeps appending to rows that have had their eos."""

TASK = "generate"
HINT = """Rows that end last are right. The others get further tokens after their eos, for as long
as the batch runs. Alone, would such a row have been continued?"""


def generate_batch(step, prompts, *, max_len, eos=None, pad=0):
    _check_request(prompts, max_len)
    new, padding = left_pad(prompts, pad=pad)
    rows = [list(prompt) for prompt in prompts]
    ended = [False] * len(rows)
    for _ in range(max_len):
        best = step(new, padding)[:, -1].argmax(-1).tolist()
        for index, token in enumerate(best):
            rows[index].append(token)
            ended[index] = ended[index] or token == eos
        if all(ended):
            break
        new = torch.tensor(best)[:, None]
    return rows
