"""Writes the special tokens in alphabetical order."""

TASK = "save"
HINT = """Everything comes back, but the special tokens in another order. Their ids follow the merges in the
order given: which id does the first of them have before saving, and which after loading?"""


class Tokenizer(Tokenizer):
    def dumps(self):
        merges = [[left.hex(), right.hex()] for left, right in self.merges]
        return json.dumps({"merges": merges, "special_tokens": sorted(self.special_tokens)})
