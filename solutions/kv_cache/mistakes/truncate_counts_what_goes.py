"""Removes `length` tokens instead of keeping `length`."""

TASK = "cache"
HINT = """You are right when exactly half of the tokens go. Is the argument of truncate the number
of tokens that leave, or of those that stay?"""


class LayerCache(LayerCache):
    def truncate(self, length):
        if not 0 <= length <= len(self):
            raise ValueError(f"length must lie in 0..{len(self)}, the tokens held, got {length}")
        self.length -= length
