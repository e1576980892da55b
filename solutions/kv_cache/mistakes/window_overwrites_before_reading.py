"""Stores first and returns what is left: the last `window` tokens."""

TASK = "window"
HINT = """You never return more than `window` tokens. For a single new token that would still be
enough; of a chunk, the first tokens lose what they should see. The first token of a chunk has a
window too: which keys does it need, and are they still there once the chunk is stored?"""


class WindowCache(WindowCache):
    def append(self, k, v):
        _check_new_tokens(k, v)
        if self.keys is None:
            shape = (*k.shape[:-2], self.window, k.shape[-1])
            self.keys = self.allocate(shape, dtype=k.dtype, device=k.device)
            self.values = self.allocate(shape, dtype=v.dtype, device=v.device)
        held = torch.arange(max(0, self.length - self.window), self.length) % self.window
        keys = torch.cat([self.keys[..., held, :], k], dim=-2)[..., -self.window :, :]
        values = torch.cat([self.values[..., held, :], v], dim=-2)[..., -self.window :, :]
        self.length += k.shape[-2]
        slots = torch.arange(self.length - keys.shape[-2], self.length) % self.window
        self.keys[..., slots, :], self.values[..., slots, :] = keys, values
        return keys, values
