"""Encodes the text between special tokens as one long word."""

TASK = "encode"
HINT = """Each word by itself is encoded rightly, but in a sentence some of your tokens hold the end of one
pre-token and the start of the next. Training never saw such a pair. Which step of training comes before the
bytes, and is missing here?"""


class Tokenizer(Tokenizer):
    def encode(self, text):
        check_text(text)
        ids = []
        for piece in split_special(text, self.special_tokens):
            if piece in self.special_ids:
                ids.append(self.special_ids[piece])
            else:
                ids.extend(self.token_ids[token] for token in encode_word(piece.encode("utf-8"), self.ranks))
        return ids
