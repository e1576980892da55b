"""Takes the last of several maxima."""

TASK = "temperature"
HINT = """Your greedy token is right where the maximum is unique, and another than the one due where
several tokens share it. In which direction does your search run, and which of the equals does the handout
ask for?"""


def greedy(logits):
    return logits.shape[-1] - 1 - logits.flip(-1).argmax(dim=-1)
