"""Returns what is held in the order of its slots."""

TASK = "window"
HINT = """Until the window is full you are right. Then the tokens that you return are the right ones
in another order. When slot 0 has been overwritten by a new token, in which slot is the oldest?"""


class WindowCache(WindowCache):
    def append(self, k, v):
        _check_new_tokens(k, v)
        if self.keys is None:
            shape = (*k.shape[:-2], self.window, k.shape[-1])
            self.keys = self.allocate(shape, dtype=k.dtype, device=k.device)
            self.values = self.allocate(shape, dtype=v.dtype, device=v.device)
        n = min(self.length, self.window)
        keys = torch.cat([self.keys[..., :n, :], k], dim=-2)
        values = torch.cat([self.values[..., :n, :], v], dim=-2)
        self.length += k.shape[-2]
        kept = min(k.shape[-2], self.window)
        slots = torch.arange(self.length - kept, self.length) % self.window
        self.keys[..., slots, :] = k[..., k.shape[-2] - kept :, :]
        self.values[..., slots, :] = v[..., v.shape[-2] - kept :, :]
        return keys, values
