"""Drops the oldest tokens instead of the newest."""

TASK = "cache"
HINT = """The number of tokens left is right, but they are those of the other end. A draft was
generated after the prompt and is now taken back: which tokens must stay?"""


class LayerCache(LayerCache):
    def truncate(self, length):
        if not 0 <= length <= len(self):
            raise ValueError(f"length must lie in 0..{len(self)}, the tokens held, got {length}")
        if self.keys is not None:
            for storage in (self.keys, self.values):
                storage[..., :length, :] = storage[..., self.length - length : self.length, :].clone()
        self.length = length
