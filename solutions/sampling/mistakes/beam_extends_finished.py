"""Goes on extending hypotheses after eos."""

TASK = "beam"
HINT = """The model is asked to continue texts that have already ended, and your hypotheses go on after
eos. Without an eos you are right. What is still open about a hypothesis that has ended?"""


def beam_search(next_logits, prompt, *, beam_width, max_new_tokens, eos=None, length_penalty=0.0):
    live = [([int(token) for token in prompt], 0.0)]
    finished = []
    for _ in range(max_new_tokens):
        if not live:
            break
        extensions = _extend(next_logits, live)[:beam_width]
        live = extensions
    scored = [(tokens, total / (len(tokens) - len(prompt)) ** length_penalty)
              for tokens, total in finished + live]
    return sorted(scored, key=lambda pair: -pair[1])[:beam_width]
