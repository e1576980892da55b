"""Returns the tokens just stored instead of all."""

TASK = "cache"
HINT = """The first append is right, and from the second on what you return is too short. What do
the new queries have to look at, besides the new keys?"""


class LayerCache(LayerCache):
    def append(self, k, v):
        _check_new_tokens(k, v)
        if self.keys is None:
            shape = (*k.shape[:-2], self.capacity, k.shape[-1])
            self.keys = self.allocate(shape, dtype=k.dtype, device=k.device)
            self.values = self.allocate(shape, dtype=v.dtype, device=v.device)
        start, self.length = self.length, self.length + k.shape[-2]
        self.keys[..., start : self.length, :] = k
        self.values[..., start : self.length, :] = v
        return k, v
