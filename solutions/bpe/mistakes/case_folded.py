"""Lowers the case of the text first, as text classification does."""

TASK = "words"
HINT = """Right for text that is in lower case already. The notes standardise text before classifying it; a
language model has to be able to write it. What would decode(encode("Low")) be?"""


_count_words = count_words


def count_words(text, special_tokens=()):
    check_text(text)
    special = set(special_tokens)
    pieces = split_special(text, special_tokens)
    return _count_words(
        "".join(piece if piece in special else piece.lower() for piece in pieces), special_tokens
    )
