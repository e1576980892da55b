"""Its length stops growing once the window is full."""

TASK = "window"
HINT = """The keys that you return are right. But once the window is full the length stands still,
and with it the position of every further token. Token 1000 arrives at a window of 4: by which
position is it rotated?"""


class WindowCache(WindowCache):
    def append(self, k, v):
        _check_new_tokens(k, v)
        if self.keys is None:
            shape = (*k.shape[:-2], self.window, k.shape[-1])
            self.keys = self.allocate(shape, dtype=k.dtype, device=k.device)
            self.values = self.allocate(shape, dtype=v.dtype, device=v.device)
        n = self.length
        keys = torch.cat([self.keys[..., :n, :], k], dim=-2)
        values = torch.cat([self.values[..., :n, :], v], dim=-2)
        self.length = min(keys.shape[-2], self.window)
        self.keys[..., : self.length, :] = keys[..., keys.shape[-2] - self.length :, :]
        self.values[..., : self.length, :] = values[..., values.shape[-2] - self.length :, :]
        return keys, values
