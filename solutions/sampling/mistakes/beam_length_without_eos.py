"""Does not count eos as a new token in the length."""

TASK = "beam"
HINT = """Hypotheses that ran to the last step are scored right, and those that ended with eos too low.
Its log-probability is part of the sum: is it part of the length you divide by?"""


def beam_search(next_logits, prompt, *, beam_width, max_new_tokens, eos=None, length_penalty=0.0):
    live = [([int(token) for token in prompt], 0.0)]
    finished = []
    for _ in range(max_new_tokens):
        if not live:
            break
        extensions = _extend(next_logits, live)[:beam_width]
        finished += [pair for pair in extensions if pair[0][-1] == eos]
        live = [pair for pair in extensions if pair[0][-1] != eos]
    scored = [(tokens, total / max(1, len(tokens) - len(prompt) - (tokens[-1] == eos)) ** length_penalty)
              for tokens, total in finished + live]
    return sorted(scored, key=lambda pair: -pair[1])[:beam_width]
