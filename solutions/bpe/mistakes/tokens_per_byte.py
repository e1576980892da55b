"""Divides by bytes instead of characters."""

TASK = "fertility"
HINT = """Right for English, and too small for Chinese by a factor of about three. How many characters does a
reader see in 尊严, and how many bytes does UTF-8 need for them?"""


def tokens_per_character(encode, texts):
    return {name: len(encode(text)) / len(text.encode("utf-8")) for name, text in texts.items()}
