"""Writes the merges only."""

TASK = "save"
HINT = """The merges come back, the special tokens don't. What would the loaded tokenizer make of `<|end|>`,
and how many ids would it have?"""


class Tokenizer(Tokenizer):
    def dumps(self):
        merges = [[left.hex(), right.hex()] for left, right in self.merges]
        return json.dumps({"merges": merges, "special_tokens": []})

    @classmethod
    def loads(cls, text):
        return cls(
            [(bytes.fromhex(left), bytes.fromhex(right)) for left, right in json.loads(text)["merges"]]
        )
