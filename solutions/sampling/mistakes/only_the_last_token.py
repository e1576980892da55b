"""Gives the model only the last token."""

TASK = "generate"
HINT = """The model is asked with one token where it should see the whole text so far. It keeps no memory
between calls: how would it know what came before?"""


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    tokens = [int(token) for token in prompt]
    for step in range(max_new_tokens):
        logp = distribution(next_logits(tokens[-1:]), tokens, **settings)
        token = int(pick(logp, uniforms[step]))
        tokens.append(token)
        if token == eos:
            break
    return tokens
