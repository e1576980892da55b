"""Penalises repeats of new tokens only."""

TASK = "generate"
HINT = """Without a penalty you are right; with one, tokens of the prompt are repeated as if they had
never been said. Which tokens count as having occurred?"""


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    tokens = [int(token) for token in prompt]
    for step in range(max_new_tokens):
        logp = distribution(next_logits(list(tokens)), tokens[len(prompt):], **settings)
        token = int(pick(logp, uniforms[step]))
        tokens.append(token)
        if token == eos:
            break
    return tokens
