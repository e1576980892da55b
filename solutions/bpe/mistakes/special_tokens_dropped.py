"""Leaves special tokens out of the decoded text."""

TASK = "decode"
HINT = """Everything but the special tokens comes back. Many libraries have an option to leave them out, but
decode(encode(text)) is to be the text. What was there between the two documents?"""


class Tokenizer(Tokenizer):
    def decode(self, ids):
        ids = list(ids)
        for position, token_id in enumerate(ids):
            if token_id not in self.vocab:
                raise ValueError(
                    f"ids must lie in 0 .. {len(self.vocab) - 1}, got {token_id} at position {position}"
                )
        special = set(self.special_ids.values())
        data = b"".join(self.vocab[token_id] for token_id in ids if token_id not in special)
        return data.decode("utf-8", errors="replace")
