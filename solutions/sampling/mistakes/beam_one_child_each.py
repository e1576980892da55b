"""Keeps the best extension of each hypothesis, so that they never compete."""

TASK = "beam"
HINT = """Your beam follows each of its first tokens to the end: a hypothesis never gets two extensions,
and none is ever dropped. From which set are the best of a step taken: one hypothesis's extensions, or
those of all together?"""


def beam_search(next_logits, prompt, *, beam_width, max_new_tokens, eos=None, length_penalty=0.0):
    live = [([int(token) for token in prompt], 0.0)]
    finished = []
    for step in range(max_new_tokens):
        if not live:
            break
        if step == 0:
            extensions = _extend(next_logits, live)[:beam_width]
        else:
            extensions = [_extend(next_logits, [pair])[0] for pair in live]
        finished += [pair for pair in extensions if pair[0][-1] == eos]
        live = [pair for pair in extensions if pair[0][-1] != eos]
    scored = [(tokens, total / (len(tokens) - len(prompt)) ** length_penalty)
              for tokens, total in finished + live]
    return sorted(scored, key=lambda pair: -pair[1])[:beam_width]
