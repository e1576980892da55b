"""Writes tokens as lists of numbers: lossless, but not the stated format."""

TASK = "save"
HINT = """Your own files come back rightly, but a file in the handout's format, written by another program,
doesn't. How are the two tokens of a merge written there?"""


class Tokenizer(Tokenizer):
    def dumps(self):
        merges = [[list(left), list(right)] for left, right in self.merges]
        return json.dumps({"merges": merges, "special_tokens": self.special_tokens})

    @classmethod
    def loads(cls, text):
        data = json.loads(text)
        return cls([(bytes(left), bytes(right)) for left, right in data["merges"]], data["special_tokens"])
