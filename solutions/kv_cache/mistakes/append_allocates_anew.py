"""Asks for new memory at every append and copies everything over."""

TASK = "cache"
HINT = """All tokens are there and in order, but the cache asks for memory at every append. If n
tokens come one at a time, how many numbers are allocated and copied in all: does it grow like n, or
like n²?"""


class LayerCache(LayerCache):
    def append(self, k, v):
        _check_new_tokens(k, v)
        start, self.length = self.length, self.length + k.shape[-2]
        shape = (*k.shape[:-2], self.length, k.shape[-1])
        keys = self.allocate(shape, dtype=k.dtype, device=k.device)
        values = self.allocate(shape, dtype=v.dtype, device=v.device)
        if start:
            keys[..., :start, :] = self.keys[..., :start, :]
            values[..., :start, :] = self.values[..., :start, :]
        keys[..., start:, :], values[..., start:, :] = k, v
        self.keys, self.values = keys, values
        return keys, values
