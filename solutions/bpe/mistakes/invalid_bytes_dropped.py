"""Leaves bytes out that are not UTF-8."""

TASK = "decode"
HINT = """Right for ids that came from text. Where bytes are no character yours vanish without a trace, so
that two different sequences of ids read alike. How can a reader see that something stood there?"""


class Tokenizer(Tokenizer):
    def decode(self, ids):
        ids = list(ids)
        for position, token_id in enumerate(ids):
            if token_id not in self.vocab:
                raise ValueError(
                    f"ids must lie in 0 .. {len(self.vocab) - 1}, got {token_id} at position {position}"
                )
        return b"".join(self.vocab[token_id] for token_id in ids).decode("utf-8", errors="ignore")
