"""Counts characters where bytes are due."""

TASK = "fertility"
HINT = """Right for English, too small for scripts whose characters have several bytes. With no merges at all
the compression should be exactly 1, in every script. Is it?"""


def bytes_per_token(encode, texts):
    return sum(map(len, texts.values())) / sum(len(encode(text)) for text in texts.values())
