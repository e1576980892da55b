"""Cuts the text at spaces first, and so encodes another text."""

TASK = "fertility"
HINT = """Your numbers are off by a little, more where there are many short words. Do the pieces you encode,
joined, give the whole text, with its spaces?"""


def tokens_per_character(encode, texts):
    return {name: sum(len(encode(word)) for word in text.split()) / len(text) for name, text in texts.items()}
