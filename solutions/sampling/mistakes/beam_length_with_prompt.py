"""Divides by the length of the whole text, prompt included."""

TASK = "beam"
HINT = """Without a length penalty you are right, and with an empty prompt too. With a prompt, hypotheses
of different lengths are compared as if they were nearly the same length. How many log-probabilities were
added up?"""


def beam_search(next_logits, prompt, *, beam_width, max_new_tokens, eos=None, length_penalty=0.0):
    live = [([int(token) for token in prompt], 0.0)]
    finished = []
    for _ in range(max_new_tokens):
        if not live:
            break
        extensions = _extend(next_logits, live)[:beam_width]
        finished += [pair for pair in extensions if pair[0][-1] == eos]
        live = [pair for pair in extensions if pair[0][-1] != eos]
    scored = [(tokens, total / len(tokens) ** length_penalty)
              for tokens, total in finished + live]
    return sorted(scored, key=lambda pair: -pair[1])[:beam_width]
