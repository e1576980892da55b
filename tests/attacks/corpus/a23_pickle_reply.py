"""Answers with a pickle that runs a command."""

NUMBER, NAME, BY = 23, "pickle-reply", "C"
OUTCOMES = ("rejected",)

import os
import pickle


class Run:
    def __reduce__(self):
        return os.system, ("echo ESCAPED > /tmp/escaped",)


def centre(x):
    return pickle.dumps(Run())
