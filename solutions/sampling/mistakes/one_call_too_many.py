"""Asks the model once more after the last token."""

TASK = "generate"
HINT = """Your text is right, and the model was called once more than there are new tokens. Each call is
the cost of a whole forward pass: what is done with the logits of your last one?"""


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    tokens = [int(token) for token in prompt]
    for step in range(max_new_tokens):
        logp = distribution(next_logits(list(tokens)), tokens, **settings)
        token = int(pick(logp, uniforms[step]))
        tokens.append(token)
        if token == eos:
            break
    if max_new_tokens and tokens:
        next_logits(list(tokens))
    return tokens
