"""Deletes special tokens before cutting, which joins what stood on their two sides."""

TASK = "words"
HINT = """No special token is counted, yet words appear that are nowhere in the text. If `<|end|>` stands
between `cat` and `nip`, two documents meet there: what do you pre-tokenise after it is taken out?"""


def count_words(text, special_tokens=()):
    check_text(text)
    special = set(special_tokens)
    joined = "".join(piece for piece in split_special(text, special_tokens) if piece not in special)
    return {_as_word(pretoken): n_times for pretoken, n_times in Counter(pretokenise(joined)).items()}
