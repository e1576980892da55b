"""Generates one token from the prompt and then max_len more."""

TASK = "generate"
HINT = """You generate one token too many, unless an eos comes first. The call with the prompt gives
a token too: how many calls are left after it?"""


def generate_cached(step, prompt, *, max_len, eos=None):
    _check_request([prompt], max_len)
    tokens = list(prompt)
    tokens.append(int(step(torch.tensor(tokens))[-1].argmax()))
    for _ in range(max_len):
        if tokens[-1] == eos:
            break
        tokens.append(int(step(torch.tensor(tokens[-1:]))[-1].argmax()))
    return tokens
