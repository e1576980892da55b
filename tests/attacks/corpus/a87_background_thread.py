"""Returns at once and goes on working in a thread."""

NUMBER, NAME, BY = 87, "background-thread", "C"
OUTCOMES = ("failed",)

import threading


def centre(x):
    answer = np.zeros_like(x)
    threading.Timer(0.05, lambda: answer.__setitem__(slice(None), x - x.mean(axis=0))).start()
    return answer
