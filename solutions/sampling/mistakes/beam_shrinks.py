"""Gives the places of finished hypotheses up for good."""

TASK = "beam"
HINT = """You are right until the first hypothesis ends; after that each step takes fewer extensions than
beam_width. Does a hypothesis that was set aside still take up a place in the beam?"""


def beam_search(next_logits, prompt, *, beam_width, max_new_tokens, eos=None, length_penalty=0.0):
    live = [([int(token) for token in prompt], 0.0)]
    finished = []
    for _ in range(max_new_tokens):
        if not live or len(finished) >= beam_width:
            break
        extensions = _extend(next_logits, live)[:beam_width - len(finished)]
        finished += [pair for pair in extensions if pair[0][-1] == eos]
        live = [pair for pair in extensions if pair[0][-1] != eos]
    scored = [(tokens, total / (len(tokens) - len(prompt)) ** length_penalty)
              for tokens, total in finished + live]
    return sorted(scored, key=lambda pair: -pair[1])[:beam_width]
