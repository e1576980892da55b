"""Loads the special tokens in alphabetical order."""

TASK = "save"
HINT = """What you load has all the special tokens, but not in the order of the file, whoever wrote it. Does
the order of that list mean anything?"""


class Tokenizer(Tokenizer):
    @classmethod
    def loads(cls, text):
        data = json.loads(text)
        merges = [(bytes.fromhex(left), bytes.fromhex(right)) for left, right in data["merges"]]
        return cls(merges, sorted(data["special_tokens"]))
