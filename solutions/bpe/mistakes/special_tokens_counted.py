"""Trains on the special tokens' text as if it were ordinary words."""

TASK = "words"
HINT = """Right for text without special tokens. Where they occur, pieces of them are among your words. They
stand between documents, thousands of times: what would training spend its merges on?"""


def count_words(text, special_tokens=()):
    check_text(text)
    pretokens = Counter(pretokenise(text))
    return {_as_word(pretoken): n_times for pretoken, n_times in pretokens.items()}
