"""Uses the first uniform number for every token."""

TASK = "generate"
HINT = """Your first new token is right, and later ones are drawn with a number that was already spent. If
every step uses the same u, are the draws still independent of each other?"""


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    tokens = [int(token) for token in prompt]
    for step in range(max_new_tokens):
        logp = distribution(next_logits(list(tokens)), tokens, **settings)
        token = int(pick(logp, uniforms[0]))
        tokens.append(token)
        if token == eos:
            break
    return tokens
