"""Never stops at eos."""

TASK = "generate"
HINT = """Your text goes on after the model has ended it, and the model is still called. Which test is
missing between one draw and the next call?"""


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    tokens = [int(token) for token in prompt]
    for step in range(max_new_tokens):
        logp = distribution(next_logits(list(tokens)), tokens, **settings)
        token = int(pick(logp, uniforms[step]))
        tokens.append(token)
    return tokens
