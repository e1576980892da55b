"""Averages the texts' ratios, so that a short text weighs as much as a long one."""

TASK = "fertility"
HINT = """Right when all texts are equally long. Ten thousand pages at 4 bytes per token and one line at 1:
what is the compression of the whole library?"""


def bytes_per_token(encode, texts):
    ratios = [len(text.encode("utf-8")) / len(encode(text)) for text in texts.values() if text]
    return sum(ratios) / len(ratios)
