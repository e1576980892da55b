"""Ends the search as soon as one hypothesis is finished."""

TASK = "beam"
HINT = """You stop at the first step in which some hypothesis ends. A live one may still overtake it,
above all when scores are divided by length: what are the two ways in which the search ends?"""


def beam_search(next_logits, prompt, *, beam_width, max_new_tokens, eos=None, length_penalty=0.0):
    live = [([int(token) for token in prompt], 0.0)]
    finished = []
    for _ in range(max_new_tokens):
        if not live or finished:
            break
        extensions = _extend(next_logits, live)[:beam_width]
        finished += [pair for pair in extensions if pair[0][-1] == eos]
        live = [pair for pair in extensions if pair[0][-1] != eos]
    scored = [(tokens, total / (len(tokens) - len(prompt)) ** length_penalty)
              for tokens, total in finished + live]
    return sorted(scored, key=lambda pair: -pair[1])[:beam_width]
