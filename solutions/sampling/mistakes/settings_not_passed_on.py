"""Draws from the model's plain distribution whatever the settings."""

TASK = "generate"
HINT = """With default settings you are right, and no setting changes anything. Between the model's logits
and the draw stands one function that knows the settings: are they given to it?"""


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    tokens = [int(token) for token in prompt]
    for step in range(max_new_tokens):
        logp = distribution(next_logits(list(tokens)), tokens)
        token = int(pick(logp, uniforms[step]))
        tokens.append(token)
        if token == eos:
            break
    return tokens
