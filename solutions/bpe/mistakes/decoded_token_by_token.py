"""Decodes each token for itself and joins the characters."""

TASK = "decode"
HINT = """Right for English. In other scripts characters turn into U+FFFD although no byte is missing. Does
every character's UTF-8 lie inside one token? What can be joined first, bytes or characters?"""


class Tokenizer(Tokenizer):
    def decode(self, ids):
        ids = list(ids)
        for position, token_id in enumerate(ids):
            if token_id not in self.vocab:
                raise ValueError(
                    f"ids must lie in 0 .. {len(self.vocab) - 1}, got {token_id} at position {position}"
                )
        return "".join(self.vocab[token_id].decode("utf-8", errors="replace") for token_id in ids)
