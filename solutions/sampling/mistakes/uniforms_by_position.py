"""Counts the uniform numbers from the start of the text, prompt included."""

TASK = "generate"
HINT = """You are right for a prompt of one token. Which uniform number does the first new token get when the
prompt has five?"""


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    tokens = [int(token) for token in prompt]
    for _ in range(max_new_tokens):
        logp = distribution(next_logits(list(tokens)), tokens, **settings)
        token = int(pick(logp, uniforms[len(tokens) - 1]))
        tokens.append(token)
        if token == eos:
            break
    return tokens
