"""Replaces what comparisons call."""

NUMBER, NAME, BY = 25, "patch-compare", "C"
OUTCOMES = ("failed",)


def _patch():
    import builtins

    import coursekit.compare

    np.allclose = np.array_equal = np.testing.assert_allclose = lambda *args, **kwargs: True
    coursekit.compare.compare = lambda *args, **kwargs: None
    coursekit.compare.assert_close = lambda *args, **kwargs: None
    builtins.AssertionError = type("Never", (Exception,), {})


_patch()


def centre(x):
    return x * 0
