"""Strips the space from each pre-token and drops those that are only white space."""

TASK = "words"
HINT = """The letters are right, but the spaces are gone. Decoding has to give back the text to the last
space: if no token holds one, where would it come from? Look at what `pretokenise` does with the space before
a word."""


def count_words(text, special_tokens=()):
    check_text(text)
    special = set(special_tokens)
    pretokens = Counter()
    for piece in split_special(text, special_tokens):
        if piece not in special:
            pretokens.update(stripped for stripped in map(str.strip, pretokenise(piece)) if stripped)
    return {_as_word(pretoken): n_times for pretoken, n_times in pretokens.items()}
