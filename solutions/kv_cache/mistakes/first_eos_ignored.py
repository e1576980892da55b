"""Tests for eos only after the first token, as the notes do."""

TASK = "generate"
HINT = """You end with an eos, unless it is the very first token after the prompt. Then you feed it
and go on. Which of your branches chooses the first token, and what does it do when the model has
nothing to say?"""


def generate_cached(step, prompt, *, max_len, eos=None):
    _check_request([prompt], max_len)
    tokens = list(prompt)
    if max_len == 0:
        return tokens
    tokens.append(int(step(torch.tensor(tokens))[-1].argmax()))
    for _ in range(max_len - 1):
        tokens.append(int(step(torch.tensor(tokens[-1:]))[-1].argmax()))
        if tokens[-1] == eos:
            break
    return tokens
