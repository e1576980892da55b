"""Feeds all tokens again in every call."""

TASK = "generate"
HINT = """The first call is right, and every later one repeats the whole text. What does step
remember, and what has it not seen yet?"""


def generate_cached(step, prompt, *, max_len, eos=None):
    _check_request([prompt], max_len)
    tokens = list(prompt)
    for _ in range(max_len):
        tokens.append(int(step(torch.tensor(tokens))[-1].argmax()))
        if tokens[-1] == eos:
            break
    return tokens
