"""Gives characters per token: the reciprocal."""

TASK = "fertility"
HINT = """Each of your numbers is one over the number that is due. A language that costs more should have the
larger number: which of the two counts is the price, and which is what one gets for it?"""


def tokens_per_character(encode, texts):
    return {name: len(text) / len(encode(text)) for name, text in texts.items()}
