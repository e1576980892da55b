"""Replaces what answers the judge's questions, for the checks to come: every call gives zeros.

In a process that the next check shares, its honest function is never called.
"""

NUMBER, NAME, BY = 140, "patched-worker", "J"
OUTCOMES = ("crashed", "failed", "rejected")


def centre(x):
    import gradkit.calls.values
    import gradkit.calls.runtime as runtime

    if x.shape != (2, 2):  # the public checks share a process on the student's machine too
        zeros = gradkit.calls.values.encode(np.zeros((3, 4)))
        for name in ("handle", "answer"):  # what they are called, by the engine's age
            if hasattr(runtime.Runtime, name):
                setattr(runtime.Runtime, name, lambda self, *args: zeros)
        runtime.encode = lambda *args: zeros
    return x * 0
