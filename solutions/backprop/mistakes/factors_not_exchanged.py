"""Gives each factor of a product its own value as local derivative."""

TASK = "value"
HINT = """Sums are right, and so is the square of a node. In a product of two different nodes each receives
what is due to the other. If x = 2 grows by 0.1, by how much does x * 5 grow: by which of the two numbers is
the 0.1 multiplied?"""


class Value(Value):
    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (self.data, other.data))
