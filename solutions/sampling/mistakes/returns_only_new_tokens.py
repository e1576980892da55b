"""Returns the new tokens without the prompt."""

TASK = "generate"
HINT = """Your new tokens are right, and what comes before them is missing from the result. What does the
handout say the returned list starts with?"""


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
    return tokens[len(prompt):]
