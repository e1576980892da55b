"""Writes the merges in sorted order."""

TASK = "save"
HINT = """All merges are saved, but they come back in another order than the one in which they were learned.
Ids and ranks are places in that list: what does the loaded tokenizer take for the first merge?"""


class Tokenizer(Tokenizer):
    def dumps(self):
        # By length first, so that the parts of each token still come before it.
        pairs = sorted(self.merges, key=lambda pair: (len(pair[0] + pair[1]), pair))
        merges = [[left.hex(), right.hex()] for left, right in pairs]
        return json.dumps({"merges": merges, "special_tokens": self.special_tokens})
