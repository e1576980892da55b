"""Does not test the first new token for eos."""

TASK = "generate"
HINT = """You stop at an eos that comes later, and go on if it is the very first new token. Is the first
draw made by the same lines as the others, and is it followed by the same test?"""


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    tokens = [int(token) for token in prompt]
    for step in range(max_new_tokens):
        logp = distribution(next_logits(list(tokens)), tokens, **settings)
        token = int(pick(logp, uniforms[step]))
        tokens.append(token)
        if token == eos and step > 0:
            break
    return tokens
