"""Cuts at special tokens, but counts each as a word."""

TASK = "words"
HINT = """The text is cut in the right places, but there are words too many. A special token is never made by
merges: it has an id of its own from the start. Which pieces of the cut text should be counted?"""


def count_words(text, special_tokens=()):
    check_text(text)
    special = set(special_tokens)
    pretokens = Counter()
    for piece in split_special(text, special_tokens):
        pretokens.update([piece] if piece in special else pretokenise(piece))
    return {_as_word(pretoken): n_times for pretoken, n_times in pretokens.items()}
