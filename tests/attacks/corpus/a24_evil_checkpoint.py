"""Hands over what runs a command when it is unpickled, as an object, as bytes and as a file."""

NUMBER, NAME, BY = 24, "evil-checkpoint", "C"
OUTCOMES = ("failed", "rejected")

import os
import pickle

calls = 0


class Evil:
    def __reduce__(self):
        return (os.system, ("echo ESCAPED",))


def centre(x):
    global calls
    calls += 1
    with open("weights.pt", "wb") as file:
        pickle.dump(Evil(), file)
    return Evil() if calls % 2 else pickle.dumps(Evil())
