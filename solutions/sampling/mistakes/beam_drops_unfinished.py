"""Returns only hypotheses that ended with eos."""

TASK = "beam"
HINT = """Hypotheses that reach max_new_tokens without eos are missing from your result, and without an
eos it is empty. The handout ranks finished and live ones together: what is the last token of a live
one?"""


def beam_search(next_logits, prompt, *, beam_width, max_new_tokens, eos=None, length_penalty=0.0):
    live = [([int(token) for token in prompt], 0.0)]
    finished = []
    for _ in range(max_new_tokens):
        if not live:
            break
        extensions = _extend(next_logits, live)[:beam_width]
        finished += [pair for pair in extensions if pair[0][-1] == eos]
        live = [pair for pair in extensions if pair[0][-1] != eos]
    scored = [(tokens, total / (len(tokens) - len(prompt)) ** length_penalty)
              for tokens, total in finished]
    return sorted(scored, key=lambda pair: -pair[1])[:beam_width]
