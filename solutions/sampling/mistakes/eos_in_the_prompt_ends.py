"""Looks for eos anywhere in the text, prompt included."""

TASK = "generate"
HINT = """A prompt that holds the token eos makes you stop too early; without one there you are right.
Some models begin every text with the token that also ends it: whose eos ends the generation?"""


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    tokens = [int(token) for token in prompt]
    for step in range(max_new_tokens):
        logp = distribution(next_logits(list(tokens)), tokens, **settings)
        token = int(pick(logp, uniforms[step]))
        tokens.append(token)
        if eos in tokens:
            break
    return tokens
