"""Writes tokens as UTF-8 text, although many are no whole characters."""

TASK = "save"
HINT = """Right for tokens of ASCII. Other tokens hold half a character, and text can't hold that: something
stands in for it in the file, and that is what you load. How does the handout write a byte so that every byte
can be read back?"""


class Tokenizer(Tokenizer):
    def dumps(self):
        merges = [
            [left.decode("utf-8", errors="replace"), right.decode("utf-8", errors="replace")]
            for left, right in self.merges
        ]
        return json.dumps({"merges": merges, "special_tokens": self.special_tokens})

    @classmethod
    def loads(cls, text):
        data = json.loads(text)
        merges = [(left.encode("utf-8"), right.encode("utf-8")) for left, right in data["merges"]]
        return cls(merges, data["special_tokens"])
