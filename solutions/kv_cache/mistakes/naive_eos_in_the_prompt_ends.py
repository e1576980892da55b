"""Ends when an eos stands anywhere, the prompt included."""

TASK = "naive"
HINT = """You are right as long as the prompt holds no eos. Many prompts do hold one, between two
documents or two turns of a talk. Which eos is the model's own decision to stop?"""


def generate_naive(model, prompt, *, max_len, eos=None):
    _check_request([prompt], max_len)
    tokens = list(prompt)
    for _ in range(max_len):
        logits = model(torch.tensor(tokens))
        tokens.append(int(logits[-1].argmax()))
        if eos in tokens:
            break
    return tokens
