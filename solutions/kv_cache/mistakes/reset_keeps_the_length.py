"""Clears the storage at a reset but still counts the old tokens."""

TASK = "cache"
HINT = """After a reset the old numbers are gone, but the cache still says it holds as many tokens
as before, and new ones stand behind a row of zeros. A key of zeros has a score of 0: does it get no
attention?"""


class LayerCache(LayerCache):
    def reset(self):
        if self.keys is not None:
            self.keys.zero_()
            self.values.zero_()
