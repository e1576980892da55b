"""Raises on bytes that are not UTF-8."""

TASK = "decode"
HINT = """Right for ids that came from text; on others it raises. A model may stop in the middle of a
character, and early in training it emits anything. What should a reader see in place of bytes that are no
character?"""


class Tokenizer(Tokenizer):
    def decode(self, ids):
        ids = list(ids)
        for position, token_id in enumerate(ids):
            if token_id not in self.vocab:
                raise ValueError(
                    f"ids must lie in 0 .. {len(self.vocab) - 1}, got {token_id} at position {position}"
                )
        return b"".join(self.vocab[token_id] for token_id in ids).decode("utf-8")
