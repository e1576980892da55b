"""Evaluates df at f(x) in place of x."""

TASK = "value"
HINT = """Sums and products are right. For a function your slope is taken at its result. For the exponential
at x = 0 the slope is exp(0) = 1: what do you get, and at which number did you ask df?"""


class Value(Value):
    def apply(self, f, df):
        data = f(self.data)
        return Value(data, (self,), (df(data),))
