"""Leaves special tokens out, as training does."""

TASK = "encode"
HINT = """Everything but the special tokens is encoded rightly, and those are missing. Training looks away
from them; but when text is encoded for the model, who else tells it where a document ends?"""


class Tokenizer(Tokenizer):
    def encode(self, text):
        check_text(text)
        ids = []
        for piece in split_special(text, self.special_tokens):
            if piece not in self.special_ids:
                for pretoken in pretokenise(piece):
                    ids.extend(
                        self.token_ids[token] for token in encode_word(pretoken.encode("utf-8"), self.ranks)
                    )
        return ids
