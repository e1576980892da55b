"""Encodes special tokens as ordinary text."""

TASK = "encode"
HINT = """Right for text without special tokens; they come out as several ids. The model has learned one id
that means the end of a document: will it recognise the pieces? Look at what you were given for cutting
text."""


class Tokenizer(Tokenizer):
    def encode(self, text):
        check_text(text)
        ids = []
        for pretoken in pretokenise(text):
            ids.extend(self.token_ids[token] for token in encode_word(pretoken.encode("utf-8"), self.ranks))
        return ids
