"""Answers every import, and replaces builtins."""

NUMBER, NAME, BY = 30, "import-hook", "C"
OUTCOMES = ("crashed", "failed", "rejected")
SPARES_OTHER_TASKS = False

import builtins
import sys


class Everything:
    def find_spec(self, name, path=None, target=None):
        return None


sys.meta_path.insert(0, Everything())
builtins.isinstance = lambda value, kinds: True
builtins.len = lambda value: 2**40
builtins.hash = lambda value: 0


def centre(x):
    return x * 0
