"""Joins old and new along the heads instead of the tokens."""

TASK = "cache"
HINT = """After several appends the number of heads has grown, and the number of tokens hasn't.
Which axis of (..., h_kv, T, d_k) gets longer when a token is added?"""


class LayerCache(LayerCache):
    def append(self, k, v):
        _check_new_tokens(k, v)
        if self.keys is None:
            self.keys, self.values = k, v
        else:
            self.keys = torch.cat([self.keys, k], dim=-3)
            self.values = torch.cat([self.values, v], dim=-3)
        self.length += k.shape[-2]
        return self.keys, self.values
