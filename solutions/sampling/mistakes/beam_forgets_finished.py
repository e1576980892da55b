"""Ranks only the hypotheses that are still live at the end."""

TASK = "beam"
HINT = """Hypotheses that ended before the last step are missing from your result; where every one ends
you return nothing. What becomes of a finished hypothesis when the search goes on without it?"""


def beam_search(next_logits, prompt, *, beam_width, max_new_tokens, eos=None, length_penalty=0.0):
    live = [([int(token) for token in prompt], 0.0)]
    finished = []
    for _ in range(max_new_tokens):
        if not live:
            break
        extensions = _extend(next_logits, live)[:beam_width]
        live = [pair for pair in extensions if pair[0][-1] != eos]
    scored = [(tokens, total / (len(tokens) - len(prompt)) ** length_penalty)
              for tokens, total in finished + live]
    return sorted(scored, key=lambda pair: -pair[1])[:beam_width]
