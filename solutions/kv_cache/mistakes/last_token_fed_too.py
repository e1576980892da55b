"""Feeds the last generated token, whose logits nobody needs."""

TASK = "generate"
HINT = """Your tokens are right, and step is called once more than needed. When the last token is
chosen, what would its logits be good for?"""


def generate_cached(step, prompt, *, max_len, eos=None):
    _check_request([prompt], max_len)
    tokens = list(prompt)
    if max_len == 0:
        return tokens
    logits = step(torch.tensor(tokens))
    for _ in range(max_len):
        tokens.append(int(logits[-1].argmax()))
        logits = step(torch.tensor(tokens[-1:]))
        if tokens[-1] == eos:
            break
    return tokens
