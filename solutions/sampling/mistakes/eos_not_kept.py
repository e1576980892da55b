"""Stops at eos without keeping it."""

TASK = "generate"
HINT = """Your text ends in the right place, and lacks its last token. Whoever reads it cannot tell an end
from running out of room: what does the handout say about the eos that was drawn?"""


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    tokens = [int(token) for token in prompt]
    for step in range(max_new_tokens):
        logp = distribution(next_logits(list(tokens)), tokens, **settings)
        token = int(pick(logp, uniforms[step]))
        if token == eos:
            break
        tokens.append(token)
    return tokens
