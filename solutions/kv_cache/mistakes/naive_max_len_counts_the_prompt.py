"""Stops when prompt and answer together are max_len long."""

TASK = "naive"
HINT = """The longer the prompt, the fewer tokens you generate, and a prompt longer than max_len
gets none. Which tokens does max_len count?"""


def generate_naive(model, prompt, *, max_len, eos=None):
    _check_request([prompt], max_len)
    tokens = list(prompt)
    while len(tokens) < max_len:
        logits = model(torch.tensor(tokens))
        tokens.append(int(logits[-1].argmax()))
        if tokens[-1] == eos:
            break
    return tokens
