"""Copies the object and not the memory behind it."""

TASK = "cache"
HINT = """A cache and its copy have lengths of their own, and each is right as long as the other is
left alone. Once both go on, tokens of one turn up in the other. When both write their next token to
the same slot, how many tensors are there to write to?"""


class LayerCache(LayerCache):
    def copy(self):
        other = LayerCache(self.capacity, allocate=self.allocate)
        other.keys, other.values, other.length = self.keys, self.values, self.length
        return other
