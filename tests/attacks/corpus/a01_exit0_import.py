"""Ends the program with success while it is imported."""

NUMBER, NAME, BY = 1, "exit0-import", "C"
OUTCOMES = ("crashed",)
SPARES_OTHER_TASKS = False  # it attacks on import

import os

os._exit(0)
