"""Ends only when every row generates eos in the same step."""

TASK = "generate"
HINT = """Each row is right, but once all of them have ended, at different times, step is still
called until max_len. What do you have to remember of a row that ended some steps ago?"""


def generate_batch(step, prompts, *, max_len, eos=None, pad=0):
    _check_request(prompts, max_len)
    new, padding = left_pad(prompts, pad=pad)
    rows = [list(prompt) for prompt in prompts]
    ended = [False] * len(rows)
    for _ in range(max_len):
        best = step(new, padding)[:, -1].argmax(-1).tolist()
        said = list(best)
        for index, token in enumerate(best):
            if not ended[index]:
                rows[index].append(token)
                ended[index] = token == eos
            if ended[index]:
                best[index] = pad
        if all(token == eos for token in said):
            break
        new = torch.tensor(best)[:, None]
    return rows
