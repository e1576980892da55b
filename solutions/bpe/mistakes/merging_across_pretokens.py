"""Never cuts into pre-tokens, so that merges may cross from word to word."""

TASK = "words"
HINT = """Each stretch between special tokens comes out as one long word. Merges happen inside words only, so
what could be learned from that: would `dog.` and `dog!` and `dog ` share a token? What cuts the text before
its bytes are counted?"""


def count_words(text, special_tokens=()):
    check_text(text)
    special = set(special_tokens)
    pieces = Counter(piece for piece in split_special(text, special_tokens) if piece not in special)
    return {_as_word(piece): n_times for piece, n_times in pieces.items()}
